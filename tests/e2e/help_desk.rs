//! What most tests begin with: a service with a survey and two lines.

use docket_tests::api::Api;
use docket_tests::docket::Docket;
use docket_tests::installation::Installation;
use docket_tests::webhooks::{sms, whatsapp};
use serde_json::Value;

/// Our number, of the SMS line and of the `WhatsApp` line.
pub(crate) const OURS: &str = "447700900000";

/// Where nobody listens: the port for what is thrown away.
pub(crate) const NOBODY: &str = "http://127.0.0.1:9";

/// The number of customer `n`, 1 to 999.
pub(crate) fn customer(n: usize) -> String {
    assert!(
        (1..1_000).contains(&n),
        "there are no more invented numbers"
    );
    format!("447700900{n:03}")
}

/// A service with one survey and two lines, and its owner.
pub(crate) struct HelpDesk {
    pub(crate) installation: Installation,
    pub(crate) docket: Docket,
    pub(crate) owner: Api,
    pub(crate) survey: String,
    pub(crate) sms_line: String,
    pub(crate) whatsapp_line: String,
}

impl HelpDesk {
    /// Opens a help desk on a new database.
    pub(crate) async fn open() -> Self {
        Self::open_in(Installation::new().await, None).await
    }

    /// Opens a help desk whose lines answer contacts with several open cases.
    pub(crate) async fn open_with_reply(reply: &str) -> Self {
        Self::open_in(Installation::new().await, Some(reply)).await
    }

    /// Opens a help desk in a new installation that was set up already.
    pub(crate) async fn open_in(installation: Installation, reply: Option<&str>) -> Self {
        let docket = installation.serve().await;
        let owner = installation.owner(&docket).await;
        let survey = owner.add_survey("Help desk").await;
        let sms_line = owner.add_line(&survey, OURS, "sms", reply).await;
        let whatsapp_line = owner.add_line(&survey, OURS, "whatsapp", reply).await;
        Self {
            installation,
            docket,
            owner,
            survey,
            sms_line,
            whatsapp_line,
        }
    }

    /// Posts an inbound message, which must be taken.
    pub(crate) async fn takes(&self, payload: &Value) {
        let status = self
            .installation
            .webhooks
            .inbound(self.docket.url(), payload)
            .await;
        assert_eq!(status, 200, "{payload}");
    }

    /// A customer's SMS is taken.
    pub(crate) async fn text(&self, from: &str, text: &str) {
        self.takes(&sms(from, OURS, text)).await;
    }

    /// A customer's SMS makes their first case; gives its reference.
    pub(crate) async fn first_case(&self, from: &str, text: &str) -> u64 {
        self.text(from, text).await;
        self.owner.only_case(from).await
    }

    /// A customer's `WhatsApp` message makes their first case; gives its reference.
    pub(crate) async fn first_whatsapp_case(&self, from: &str, text: &str) -> u64 {
        self.takes(&whatsapp(from, OURS, text)).await;
        self.owner.only_case(from).await
    }

    /// The texts that the simulated Vonage has taken, in order.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.installation
            .simulator
            .accepted()
            .into_iter()
            .map(|message| message.text)
            .collect()
    }

    /// Ends the service in an orderly way, which it must survive, and drops the database.
    pub(crate) async fn close(self) {
        self.docket.stop().await;
        self.installation.close().await;
    }
}
