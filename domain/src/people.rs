//! What people do at Docket beside their work: signing in and failing to, looking at cases, and taking the log away.
//!
//! Auditors read it and nobody changes it. Nothing is decided from it but what is to be recorded at all, so that no case, setting or
//! right of anybody's depends on it. Streams are kept short, since one is read as a whole before something is added to it.

pub mod attempts;
pub mod export;
pub mod session;
pub mod views;

/// What cqrs-es and the log ask of an aggregate and its events; `decide` and `evolve` are the aggregate's own.
macro_rules! aggregate {
    ($aggregate:ident = $name:literal, $command:ident, $event:ident, $error:ty; $($variant:ident),+ $(,)?) => {
        impl $event {
            /// Every event type.
            pub const TYPES: [&'static str; [$(stringify!($variant)),+].len()] = [$(stringify!($variant)),+];

            /// The event's type: its variant's name.
            pub const fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant),)+
                }
            }

            /// The version that is written today.
            pub const fn version(&self) -> &'static str {
                "1"
            }
        }

        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                self.type_name().to_owned()
            }

            fn event_version(&self) -> String {
                self.version().to_owned()
            }
        }

        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = $name;
            type Command = $command;
            type Event = $event;
            type Error = $error;
            type Services = ();

            async fn handle(
                &mut self,
                command: $command,
                (): &(),
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), $error> {
                for event in self.decide(command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: $event) {
                self.evolve(&event);
            }
        }
    };
}

pub(crate) use aggregate;
