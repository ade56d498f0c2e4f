//! How something was done: what an auditor narrows the log by.

use docket_domain::ids::TokenId;
use docket_domain::personal::Personal;
use serde_json::{Value, json};

use super::recorded::{Metadata, Via};

/// How something was done; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// By the person of that address, as it was then.
    pub email: Option<Personal<String>>,
    /// By that way.
    pub via: Option<Via>,
    /// With that token.
    pub token_id: Option<TokenId>,
    /// From that network address.
    pub client_address: Option<Personal<String>>,
}

impl Circumstances {
    /// Whether an event with this metadata was done so.
    pub fn include(&self, metadata: &Metadata) -> bool {
        let email = self.email.as_ref().map(|email| email.as_str());
        (email.is_none() || email == metadata.actor.email())
            && (self.client_address.is_none() || self.client_address == metadata.client_address)
            && (self.via.is_none() || self.via == metadata.via)
            && (self.token_id.is_none() || self.token_id == metadata.token_id)
    }

    /// Whether anything is asked for.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The members that the metadata of such an event has, beside the address of who did it; `None` where all have them.
    pub(crate) fn members(&self) -> Option<Value> {
        let mut members = serde_json::Map::new();
        let via = self.via.map(|via| json!(via.as_str()));
        members.extend(via.map(|via| ("via".to_owned(), via)));
        let token_id = self.token_id.map(|id| json!(id.to_string()));
        members.extend(token_id.map(|id| ("token_id".to_owned(), id)));
        let address = self.client_address.as_ref().map(|text| json!(text.0));
        members.extend(address.map(|address| ("client_address".to_owned(), address)));
        (!members.is_empty()).then_some(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::recorded::Actor;

    #[test]
    fn only_what_was_done_so_is_included() {
        let metadata = Metadata {
            client_address: Some("192.0.2.7".into()),
            ..Metadata::of(Actor::System, Via::Api)
        };
        let all = Circumstances::default();
        assert!(all.include(&metadata) && all.is_all() && all.members().is_none());
        let by_api = Circumstances {
            via: Some(Via::Api),
            client_address: Some("192.0.2.7".into()),
            ..Circumstances::default()
        };
        assert!(by_api.include(&metadata));
        assert_eq!(
            by_api.members(),
            Some(json!({"via": "api", "client_address": "192.0.2.7"}))
        );
        for other in [
            Circumstances {
                via: Some(Via::Console),
                ..by_api.clone()
            },
            Circumstances {
                client_address: Some("192.0.2.8".into()),
                ..by_api.clone()
            },
            Circumstances {
                email: Some("agent@example.com".into()),
                ..by_api
            },
        ] {
            assert!(!other.include(&metadata), "{other:?}");
        }
    }
}
