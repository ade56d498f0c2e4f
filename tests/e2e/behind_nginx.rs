//! The sample configuration of nginx, tried with nginx.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use docket_tests::docket::Docket;
use docket_tests::installation::{APPLICATION_ID, Installation, SIGNATURE_SECRET};
use docket_tests::waiting::{BOUND, wait_until};
use docket_tests::webhooks::{INBOUND, sms};
use futures_util::StreamExt as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, StatusCode, Version};

use crate::help_desk::{OURS, customer};

const HOST: &str = "docket.example.com";
const PASSWORD: &str = "correct horse battery";

/// Where nginx may be: administrators' programs need not be on a user's PATH.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is missing: run `make test`, or `.ci/nginx` before `cargo test`")
        })
}

/// An nginx with the sample's settings; it is ended when the value goes.
struct Nginx {
    child: Child,
    https: SocketAddr,
    http: SocketAddr,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Makes a certificate for the host that signs itself.
fn certificate(folder: &Path) {
    let made = Command::new(program("openssl"))
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=docket.example.com",
        ])
        .arg("-keyout")
        .arg(folder.join("privkey.pem"))
        .arg("-out")
        .arg(folder.join("fullchain.pem"))
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// The text with each of these put in another's place, all of which must be there.
fn replaced(text: &str, pairs: &[(&str, String)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the sample has no {old:?}");
        text.replace(old, new)
    })
}

impl Nginx {
    /// Starts nginx with the sample, before the Docket at `docket`.
    fn start(
        folder: &Path,
        docket: &str,
        location: &str,
        target: &str,
        addresses: (SocketAddr, SocketAddr),
    ) -> Self {
        let (https, http) = addresses;
        certificate(folder);
        let sample = include_str!("../../docs/samples/nginx.conf");
        let at = |name: &str| folder.join(name).display().to_string();
        let sample = replaced(
            sample,
            &[
                (
                    "server 127.0.0.1:8080;",
                    format!("server {};", docket.trim_start_matches("http://")),
                ),
                ("listen 80;", format!("listen {http};")),
                ("listen 443 ssl", format!("listen {https} ssl")),
                ("/etc/ssl/docket/fullchain.pem", at("fullchain.pem")),
                ("/etc/ssl/docket/privkey.pem", at("privkey.pem")),
                ("location / {", format!("location {location} {{")),
                ("proxy_pass http://docket;", format!("proxy_pass {target};")),
            ],
        );
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {};\n", at(what)))
            .concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{sample}}}\n",
            at("nginx.pid")
        );
        std::fs::write(folder.join("nginx.conf"), whole).unwrap();
        let child = Command::new(program("nginx"))
            .args(["-p", &at(""), "-c", &at("nginx.conf"), "-e", "stderr"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, https, http }
    }

    /// A client that takes the test's own certificate.
    async fn client(&mut self) -> Client {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .danger_accept_invalid_certs(true)
            .resolve(HOST, self.https)
            .timeout(BOUND)
            .build()
            .unwrap();
        let url = format!("https://{HOST}:{}/healthz", self.https.port());
        wait_until("nginx answers", BOUND, async || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("nginx ended: {status}");
            }
            client
                .get(&url)
                .send()
                .await
                .map(drop)
                .map_err(|error| format!("{error:?}"))
        })
        .await;
        client
    }
}

fn cookies(headers: &HeaderMap) -> String {
    let set = headers.get_all(SET_COOKIE).iter();
    let set = set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
    set.filter(|cookie| !cookie.ends_with('='))
        .collect::<Vec<_>>()
        .join("; ")
}

fn value_of<'a>(page: &'a str, marker: &str) -> &'a str {
    let rest = page
        .split(marker)
        .nth(1)
        .unwrap_or_else(|| panic!("no {marker} in {page}"));
    rest.split('"').next().unwrap()
}

/// Signs in; gives the session's cookie.
async fn sign_in(client: &Client, url: &str, base: &str) -> String {
    let answer = client.get(format!("{url}/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], format!("{base}/sign-in"));
    assert_eq!(answer.version(), Version::HTTP_2);
    let answer = client.get(format!("{url}/sign-in")).send().await.unwrap();
    assert!(answer.headers().contains_key("strict-transport-security"));
    let form_cookie = cookies(answer.headers());
    let page = answer.text().await.unwrap();
    assert!(
        page.contains(&format!("href=\"{base}/assets/console.css\"")),
        "{page}"
    );
    // It came by https, and is told of no other address.
    assert!(!page.contains("https://"), "{page}");
    let form = [
        ("csrf", value_of(&page, "name=\"csrf\" value=\"")),
        ("email", "owner@example.com"),
        ("password", PASSWORD),
    ];
    let answer = client
        .post(format!("{url}/sign-in"))
        .header(COOKIE, form_cookie)
        .form(&form);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let prefix = if base.is_empty() {
        "__Host-"
    } else {
        "__Secure-"
    };
    let cookies = cookies(answer.headers());
    assert!(
        cookies.contains(&format!("{prefix}docket_session=")),
        "{cookies}"
    );
    cookies
}

#[tokio::test]
async fn the_sample_serves_pages_streams_and_webhooks_at_the_root_and_below_a_path() {
    for (location, target, base) in [
        ("/", "http://docket", ""),
        ("/docket/", "http://docket", "/docket"),
        // With a slash behind it nginx strips the path.
        ("/docket/", "http://docket/", "/docket"),
    ] {
        let mut installation = Installation::new().await;
        let addresses = (free_address(), free_address());
        let url = format!("https://{HOST}:{}{base}", addresses.0.port());
        for (name, value) in [
            ("DOCKET_PUBLIC_URL", url.as_str()),
            ("DOCKET_TRUSTED_PROXIES", "127.0.0.1"),
            ("DOCKET_OWNER_EMAIL", "owner@example.com"),
            ("DOCKET_OWNER_PASSWORD", PASSWORD),
        ] {
            installation.set(name, value);
        }
        let docket = installation.serve().await;
        let folder = tempfile::tempdir().unwrap();
        let mut nginx = Nginx::start(folder.path(), docket.url(), location, target, addresses);
        let client = nginx.client().await;
        let cookie = sign_in(&client, &url, base).await;
        stream_tells_of_a_webhook(&client, &installation, &url, &cookie).await;

        let document = client.get(format!("{url}/api/openapi.json"));
        let document = document.send().await.unwrap().text().await.unwrap();
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        let server = document["servers"][0]["url"].as_str();
        assert_eq!(server, (!base.is_empty()).then_some(base));
        let answer = client.get(format!("{url}/metrics")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let setup = client
            .get(format!("{url}/vonage"))
            .header(COOKIE, &cookie)
            .send()
            .await
            .unwrap();
        let setup = setup.text().await.unwrap();
        assert!(setup.contains(&format!("{url}{INBOUND}")), "{setup}");
        let plain = format!("http://{}{base}/sign-in", nginx.http);
        let plain = client.get(plain).header("host", HOST).send().await.unwrap();
        assert_eq!(plain.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(
            plain.headers()[LOCATION],
            format!("https://{HOST}{base}/sign-in")
        );
        drop(nginx);
        close(docket, installation).await;
    }
}

/// A page's form with this action: its hidden fields, and these.
fn filled(page: &str, action: &str, fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let marker = format!("action=\"{action}\"");
    let form = page
        .split("<form ")
        .find(|form| form.contains(&marker))
        .unwrap_or_else(|| panic!("no form {action} in {page}"));
    let form = form.split("</form>").next().unwrap();
    let hidden = form.split("<input type=\"hidden\" ").skip(1);
    let hidden = hidden.map(|input| (value_of(input, "name=\""), value_of(input, "value=\"")));
    hidden
        .filter(|(name, _)| fields.iter().all(|(other, _)| other != name))
        .chain(fields.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A browser that is signed in, behind nginx.
struct Owner<'a> {
    client: &'a Client,
    url: &'a str,
    base: &'a str,
    cookie: String,
}

impl Owner<'_> {
    async fn page(&self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.url));
        let answer = request.header(COOKIE, &self.cookie).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// Sends the form of a page that has this action; gives the page that it leads to.
    async fn sends(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let whole = format!("{}{action}", self.base);
        let fields = filled(page, &whole, fields);
        let request = self.client.post(format!("{}{action}", self.url));
        let request = request.header(COOKIE, &self.cookie).form(&fields);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let to = answer.headers().get(LOCATION).cloned();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::SEE_OTHER, "{action}: {text}");
        let to = to.unwrap().to_str().unwrap().to_owned();
        let path = to.strip_prefix(self.base).unwrap_or(&to);
        self.page(path).await
    }
}

#[tokio::test]
async fn a_new_user_under_a_path_gets_their_first_message_into_a_case() {
    let mut installation = Installation::new().await;
    let addresses = (free_address(), free_address());
    let base = "/docket";
    let url = format!("https://{HOST}:{}{base}", addresses.0.port());
    for name in [
        "DOCKET_VONAGE_APPLICATION_ID",
        "DOCKET_VONAGE_SIGNATURE_SECRET",
        "DOCKET_VONAGE_PRIVATE_KEY_FILE",
    ] {
        installation.unset(name);
    }
    // Each as it comes when it is pasted: with a line break behind it.
    for (name, value) in [
        ("DOCKET_PUBLIC_URL", format!("{url}/\n")),
        ("DOCKET_TRUSTED_PROXIES", "127.0.0.1\n".to_owned()),
        ("DOCKET_OWNER_EMAIL", "owner@example.com\r\n".to_owned()),
        ("DOCKET_OWNER_PASSWORD", format!("{PASSWORD}\n")),
        ("DOCKET_SECRET_KEY", format!("{}\n", "5a".repeat(32))),
    ] {
        installation.set(name, &value);
    }
    let docket = installation.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let mut nginx = Nginx::start(
        folder.path(),
        docket.url(),
        "/docket/",
        "http://docket",
        addresses,
    );
    let client = nginx.client().await;
    let owner = Owner {
        client: &client,
        url: &url,
        base,
        cookie: sign_in(&client, &url, base).await,
    };

    let page = owner.page("/setup?step=vonage").await;
    let private_key = std::fs::read_to_string(installation.folder.path().join("private.key"));
    let private_key = private_key.unwrap().replace('\n', "\r\n");
    let fields = [
        ("application_id", format!(" {APPLICATION_ID}\r\n")),
        ("signature_secret", format!("{SIGNATURE_SECRET}\r\n")),
        ("key_text", format!("\r\n{private_key}\r\n")),
    ];
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    owner.sends(&page, "/vonage", &fields).await;
    let page = owner.page("/setup?step=survey").await;
    let fields = [
        ("name", "Help desk\r\n"),
        ("cases", "yes"),
        ("reference", "yes"),
        ("question", "How far is it?"),
        ("answer-0", "New"),
        ("answer-1", "Resolved"),
        ("closes", "1"),
    ];
    owner.sends(&page, "/surveys", &fields).await;
    let page = owner.page("/setup?step=line").await;
    let select = page.split("<select name=\"survey\"").nth(1).unwrap();
    let survey = select.split("<option value=\"").skip(1);
    let survey = survey.map(|option| option.split('"').next().unwrap());
    let survey = survey.clone().find(|id| !id.is_empty()).unwrap();
    let number = format!("\u{202a}+{OURS}\u{202c}\r\n");
    let fields = [
        ("number", number.as_str()),
        ("channel", "sms"),
        ("survey", survey),
        ("reply", ""),
    ];
    owner.sends(&page, "/lines", &fields).await;

    let page = owner.page("/setup?step=vonage").await;
    let inbound = value_of(&page, "id=\"inbound-url\" value=\"");
    assert_eq!(inbound, format!("{url}{INBOUND}"));
    let body = sms(&customer(1), OURS, "The first message").to_string();
    let body = body.into_bytes();
    let authorization = installation.webhooks.signature(&body);
    let webhook = client.post(inbound).header(AUTHORIZATION, authorization);
    let webhook = webhook.header(CONTENT_TYPE, "application/json").body(body);
    assert_eq!(webhook.send().await.unwrap().status(), StatusCode::OK);
    let inbox = owner.page("/").await;
    assert!(inbox.contains("The first message"), "{inbox}");
    assert!(owner.page("/cases/101").await.contains("The first message"));
    drop(nginx);
    close(docket, installation).await;
}

/// An open page hears of a message that comes while it is open.
async fn stream_tells_of_a_webhook(
    client: &Client,
    installation: &Installation,
    url: &str,
    cookie: &str,
) {
    let stream = client
        .get(format!("{url}/live?after=0"))
        .header(COOKIE, cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let body = sms(&customer(1), OURS, "Hello?").to_string().into_bytes();
    let authorization = installation.webhooks.signature(&body);
    let answer = client
        .post(format!("{url}{INBOUND}"))
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    assert_eq!(answer.send().await.unwrap().status(), StatusCode::OK);
    let mut chunks = stream.bytes_stream();
    let mut heard = String::new();
    while !heard.contains("data:") {
        let chunk = tokio::time::timeout(BOUND, chunks.next()).await;
        let chunk = chunk
            .expect("the stream is not held back")
            .expect("it goes on")
            .unwrap();
        heard += &String::from_utf8_lossy(&chunk);
    }
}

async fn close(docket: Docket, installation: Installation) {
    docket.stop().await;
    installation.close().await;
}
