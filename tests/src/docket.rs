//! The real binary: started, watched and ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::waiting::{BOUND, wait_until};

/// The variable that names another binary than the one that was built beside the tests, such as one of a release build.
pub const BINARY_VARIABLE: &str = "DOCKET_TEST_BINARY";

/// What a process keeps of our environment: where programs are, and nothing that could be a setting of Docket's.
const KEPT: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// Settings for a process: variables and their values.
pub type Environment = Vec<(String, String)>;

/// The binary, beside the running program or the folder of the running test.
///
/// # Panics
///
/// When it was not built.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os(BINARY_VARIABLE) {
        return named.into();
    }
    let this = std::env::current_exe().expect("a running program has a path");
    // Programs lie in target/<profile>, tests in target/<profile>/deps.
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("docket"))
        .find(|binary| binary.is_file())
        .expect("the binary is missing: run `make test`, or `cargo build -p docket --bin docket` before `cargo test`")
}

fn command(arguments: &[&str], environment: &Environment) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear();
    command.envs(
        KEPT.iter()
            .filter_map(|name| Some((*name, std::env::var_os(name)?))),
    );
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Signals that a person at the terminal sends to the tests are not meant for it.
    command.process_group(0);
    command
}

/// What a command that has ended left.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard output.
    pub stdout: String,
    /// What it said on standard error.
    pub stderr: String,
}

impl Ended {
    /// Standard output of a command that must have succeeded.
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "the command failed: {}", self.stderr);
        self.stdout
    }
}

/// Runs a command that ends by itself, with `input` on its standard input.
pub async fn run(arguments: &[&str], environment: &Environment, input: &str) -> Ended {
    let mut process = Process::start(arguments, environment);
    let mut stdin = process.child.stdin.take().expect("standard input is piped");
    // A command that ends before it has read all is judged by its exit code.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let status = process.ended().await;
    process
        .readers
        .drain(..)
        .for_each(|reader| drop(reader.join()));
    Ended {
        code: status.code(),
        stdout: process.stdout(),
        stderr: process.stderr(),
    }
}

/// Runs `docket serve`, which must refuse to start; gives what it says.
pub async fn refused(environment: &Environment) -> Ended {
    let mut process = Process::start(&["serve"], environment);
    let status = wait_until("the service ends", BOUND, async || {
        match process.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) if process.stderr().contains("listening") => {
                panic!("the service starts with {environment:?}")
            }
            Ok(None) => Err("it runs"),
            Err(error) => panic!("the process cannot be waited for: {error}"),
        }
    })
    .await;
    process
        .readers
        .drain(..)
        .for_each(|reader| drop(reader.join()));
    Ended {
        code: status.code(),
        stdout: process.stdout(),
        stderr: process.stderr(),
    }
}

/// What a stream has said so far.
type Said = Arc<Mutex<String>>;

fn listen(stream: impl Read + Send + 'static) -> (Said, JoinHandle<()>) {
    let said = Said::default();
    let heard = Arc::clone(&said);
    let reader = std::thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    (said, reader)
}

/// A process of the binary; it is killed when the value goes.
pub struct Process {
    child: Child,
    stdout: Said,
    stderr: Said,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the binary.
    pub fn start(arguments: &[&str], environment: &Environment) -> Self {
        let mut child = command(arguments, environment)
            .spawn()
            .expect("the binary can be run");
        let (stdout, stdout_reader) =
            listen(child.stdout.take().expect("standard output is piped"));
        let (stderr, stderr_reader) = listen(child.stderr.take().expect("standard error is piped"));
        Self {
            child,
            stdout,
            stderr,
            readers: vec![stdout_reader, stderr_reader],
        }
    }

    /// What it has said on standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What it has said on standard error so far, which is its log.
    pub fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        let id = i32::try_from(self.id()).expect("process ids are small");
        Pid::from_raw(id).expect("a process that was started has an id")
    }

    /// Ends it as a crash does: it gets no chance to do anything more.
    pub fn kill(&mut self) {
        // It fails only where the process has ended and been reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Sends a signal to it and all that it started in its group, as Ctrl-C at a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).expect("the process is there");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let Self { child, stderr, .. } = self;
        wait_until("the process ends", BOUND, async || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(format!(
                "it runs, and has logged:\n{}",
                stderr.lock().unwrap_or_else(PoisonError::into_inner)
            )),
            Err(error) => panic!("the process cannot be waited for: {error}"),
        })
        .await
    }

    /// Waits until a line on `stream` holds `before`, and gives what stands behind it up to white space.
    async fn word_behind(&mut self, stream: Stream, before: &str) -> String {
        let bound = match stream {
            Stream::Stderr => BOUND,
            // A demonstration makes a whole database first.
            Stream::Stdout => BOUND * 3,
        };
        wait_until(&format!("the process says {before:?}"), bound, async || {
            let said = match stream {
                Stream::Stdout => self.stdout(),
                Stream::Stderr => self.stderr(),
            };
            // A line that is still being written may lack its end.
            let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some((_, rest)) = whole.split_once(before)
                && let Some(word) = rest.split_whitespace().next()
            {
                return Ok(word.to_owned());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!(
                    "the process ended ({status}) and said:\n{}\n{}",
                    self.stdout(),
                    self.stderr()
                );
            }
            Err(format!("{}{}", self.stdout(), self.stderr()))
        })
        .await
    }

    /// Waits until it says on standard output a line with `before`, and gives the word behind it.
    pub async fn says(&mut self, before: &str) -> String {
        self.word_behind(Stream::Stdout, before).await
    }

    /// Waits until it logs a line with `before`, and gives the word behind it.
    pub async fn logs(&mut self, before: &str) -> String {
        self.word_behind(Stream::Stderr, before).await
    }
}

/// The command lines of all processes of this machine that hold `word`, such as a folder's path.
pub fn processes_with(word: &str) -> Vec<String> {
    let listed = Command::new("ps")
        .args(["-A", "-o", "args="])
        .output()
        .expect("every system has ps");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed
        .lines()
        .filter(|line| line.contains(word))
        .map(str::to_owned)
        .collect()
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the log of docket ---\n{}", self.stderr());
        }
    }
}

/// `docket serve` that listens and is ready; it is killed when the value goes.
pub struct Docket {
    process: Process,
    url: String,
    metrics_url: String,
}

impl Docket {
    /// Starts `docket serve` with `environment` on any free port, and waits until it is ready.
    pub async fn serve(environment: &Environment) -> Self {
        let mut environment = environment.clone();
        for name in ["DOCKET_LISTEN", "DOCKET_METRICS_LISTEN"] {
            if environment.iter().all(|(set, _)| set != name) {
                environment.push((name.to_owned(), "127.0.0.1:0".to_owned()));
            }
        }
        let mut process = Process::start(&["serve"], &environment);
        let address = process.logs("listening address=").await;
        let metrics = process.logs("metrics are served address=").await;
        let docket = Self {
            process,
            url: format!("http://{address}"),
            metrics_url: format!("http://{metrics}/metrics"),
        };
        docket.is_ready().await;
        docket
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it serves metrics.
    pub fn metrics_url(&self) -> &str {
        &self.metrics_url
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// Waits until it says that it can answer requests.
    pub async fn is_ready(&self) {
        let http = crate::api::http();
        wait_until("the service is ready", BOUND, async || {
            match http.get(format!("{}/readyz", self.url)).send().await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(format!("status {}", answer.status())),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Stops it in its tracks, wherever it is, until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Asks it to end.
    pub fn tell_to_stop(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for its end after it was told, and gives its log. A drain waits for requests that are under way, so this may take
    /// a while.
    ///
    /// # Panics
    ///
    /// When it ends otherwise than with exit code 0.
    pub async fn stopped(mut self) -> String {
        let status = wait_for(&mut self.process).await;
        assert_eq!(
            (status.code(), status.signal()),
            (Some(0), None),
            "{}",
            self.log()
        );
        self.process
            .readers
            .drain(..)
            .for_each(|reader| drop(reader.join()));
        self.log()
    }

    /// Tells it to end and waits for that.
    pub async fn stop(self) -> String {
        self.tell_to_stop();
        self.stopped().await
    }
}

async fn wait_for(process: &mut Process) -> ExitStatus {
    // Longer than the longest drain.
    let bound = BOUND.max(Duration::from_secs(45));
    tokio::time::timeout(bound, process.ended())
        .await
        .expect("a told process ends")
}
