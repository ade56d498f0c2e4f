//! What most tests begin with: a service with a survey and two lines.

use crate::api::Api;
use crate::docket::Docket;
use crate::installation::Installation;
use crate::webhooks::{sms, whatsapp};
use serde_json::Value;

/// Our number, of the SMS line and of the `WhatsApp` line.
pub const OURS: &str = "447700900000";

/// Where nobody listens: the port for what is thrown away.
pub const NOBODY: &str = "http://127.0.0.1:9";

/// The number of customer `n`, 1 to 999.
pub fn customer(n: usize) -> String {
    assert!(
        (1..1_000).contains(&n),
        "there are no more invented numbers"
    );
    format!("447700900{n:03}")
}

/// A service with one survey and two lines, and its owner.
pub struct HelpDesk {
    /// Where it runs.
    pub installation: Installation,
    /// The process.
    pub docket: Docket,
    /// The owner.
    pub owner: Api,
    /// The survey's id.
    pub survey: String,
    /// The id of the SMS line.
    pub sms_line: String,
    /// The id of the `WhatsApp` line.
    pub whatsapp_line: String,
}

impl HelpDesk {
    /// Opens a help desk on a new database.
    pub async fn open() -> Self {
        Self::open_in(Installation::new().await, None).await
    }

    /// Opens a help desk whose lines answer contacts with several open cases.
    pub async fn open_with_reply(reply: &str) -> Self {
        Self::open_in(Installation::new().await, Some(reply)).await
    }

    /// Opens a help desk in a new installation that was set up already.
    pub async fn open_in(installation: Installation, reply: Option<&str>) -> Self {
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
    pub async fn takes(&self, payload: &Value) {
        let status = self
            .installation
            .webhooks
            .inbound(self.docket.url(), payload)
            .await;
        assert_eq!(status, 200, "{payload}");
    }

    /// A customer's SMS is taken.
    pub async fn text(&self, from: &str, text: &str) {
        self.takes(&sms(from, OURS, text)).await;
    }

    /// A customer's SMS makes their first case; gives its reference.
    pub async fn first_case(&self, from: &str, text: &str) -> u64 {
        self.text(from, text).await;
        self.owner.only_case(from).await
    }

    /// A customer's `WhatsApp` message makes their first case; gives its reference.
    pub async fn first_whatsapp_case(&self, from: &str, text: &str) -> u64 {
        self.takes(&whatsapp(from, OURS, text)).await;
        self.owner.only_case(from).await
    }

    /// The texts that the simulated Vonage has taken, in order.
    pub fn sent(&self) -> Vec<String> {
        self.installation
            .simulator
            .accepted()
            .into_iter()
            .map(|message| message.text)
            .collect()
    }

    /// Ends the service in an orderly way, which it must survive, and drops the database.
    pub async fn close(self) {
        self.docket.stop().await;
        self.installation.close().await;
    }
}
