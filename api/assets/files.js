// Files: a picture opens above its thread, and a reply takes a file by button, paste and drop. Without it a picture is a link, and
// the form carries the file itself.
"use strict";
(() => {
  const { find } = globalThis.docket;
  const thread = find(".thread[data-case]");
  if (!thread) return;

  // A picture of its own. The link still opens another tab with a modifier.
  thread.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-picture]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const viewer = document.createElement("dialog");
    viewer.className = "viewer";
    const picture = document.createElement("img");
    picture.src = link.href;
    picture.alt = find("img", link).alt;
    const bar = document.createElement("p");
    const name = document.createElement("span");
    name.textContent = picture.alt;
    const close = document.createElement("button");
    close.textContent = "×";
    close.ariaLabel = thread.dataset.close ?? "Close";
    close.addEventListener("click", () => viewer.close());
    bar.append(name, close);
    viewer.append(bar, picture);
    viewer.addEventListener("click", (clicked) => { if (clicked.target === viewer) viewer.close(); });
    viewer.addEventListener("close", () => { viewer.remove(); link.focus(); });
    document.body.append(viewer);
    viewer.showModal();
  });

  const attach = find(".attach");
  if (!attach) return;
  const write = attach.closest("form");
  const chosen = find("input[type=file]", attach);
  const mediaId = find("[name=media_id]", attach);
  const status = find(".attached", attach);
  const words = attach.dataset;
  let upload = null;
  attach.classList.add("scripted");

  const tell = (...parts) => status.replaceChildren(...parts);
  const element = (name, properties) => Object.assign(document.createElement(name), properties);
  function remove() {
    upload?.abort();
    upload = null;
    mediaId.value = "";
    chosen.value = "";
    tell();
  }
  const remover = () => {
    const button = element("button", { type: "button", className: "small", textContent: words.remove });
    button.addEventListener("click", () => { remove(); chosen.focus(); });
    return button;
  };

  function send(file) {
    remove();
    const progress = element("progress", { max: 1, value: 0, ariaLabel: words.sending });
    tell(element("bdi", { textContent: file.name }), progress, remover());
    const form = new FormData();
    form.append("csrf", find("[name=csrf]", write).value);
    form.append("file", file, file.name || "file");
    const call = new XMLHttpRequest();
    upload = call;
    call.open("POST", words.upload);
    call.responseType = "json";
    call.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress.value = event.loaded / event.total;
    });
    call.addEventListener("loadend", () => {
      if (upload !== call) return;
      upload = null;
      const kept = call.status === 201 ? call.response : null;
      if (!kept) {
        tell(element("span", { textContent: call.response?.detail ?? words.failed }), remover());
        return;
      }
      mediaId.value = kept.id;
      const shown = [element("bdi", { textContent: kept.name ?? file.name }), element("span", { textContent: kept.about }), remover()];
      if (kept.thumbnail) shown.unshift(element("img", { src: kept.thumbnail, alt: "", width: kept.width, height: kept.height }));
      tell(...shown);
    });
    call.send(form);
  }

  chosen.addEventListener("change", () => {
    const [file] = chosen.files;
    if (file) send(file);
  });
  // The file is there already; the form must not carry it a second time, nor go before it.
  write.addEventListener("submit", (event) => {
    if (upload) event.preventDefault();
    else chosen.disabled = true;
  });
  addEventListener("pageshow", () => { chosen.disabled = false; });
  write.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    send(file);
  });
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  thread.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    thread.classList.add("dropping");
  });
  thread.addEventListener("dragleave", (event) => {
    if (!thread.contains(event.relatedTarget)) thread.classList.remove("dropping");
  });
  thread.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    thread.classList.remove("dropping");
    const [file] = event.dataTransfer.files;
    if (file) send(file);
  });
})();
