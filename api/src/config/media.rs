//! Where media are kept, and from where they are fetched.

use std::path::Path;

use docket_domain::channel::{is_international_number, normalise_number};
use reqwest::Url;

use super::{Mistakes, Section, Setting, Values};
use crate::media::hosts::{AllowedHosts, HostRule};

/// The section.
pub const SECTION: Section = Section {
    heading: "Media",
    settings: &[STORE, MAX_MB, HOSTS, MMS],
};

const STORE: Setting = Setting {
    name: "DOCKET_MEDIA_URL",
    flag: "media-url",
    old_flag: None,
    value: "URL",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "Where photos and other files are kept: s3://bucket/prefix, or file:///folder. Several processes on one database need one store. Keys, region and endpoint of S3 come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT.",
    without: "the folder media in the data folder",
};

const MAX_MB: Setting = Setting {
    name: "DOCKET_MEDIA_MAX_MB",
    flag: "media-max-mb",
    old_flag: None,
    value: "NUMBER",
    default: Some("100"),
    is_secret: false,
    is_basic: false,
    about: "The largest file that is fetched or uploaded, in MB of 1,000,000 bytes.",
    without: "",
};

const HOSTS: Setting = Setting {
    name: "DOCKET_MEDIA_HOSTS",
    flag: "media-hosts",
    old_flag: None,
    value: "HOSTS",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "Further hosts from which media may be fetched, separated by commas: files.example.com, *.example.com or 192.0.2.7:8080. Private addresses are allowed for these alone.",
    without: "Vonage's hosts and the host of DOCKET_VONAGE_API_URL",
};

const MMS: Setting = Setting {
    name: "DOCKET_MMS_LINES",
    flag: "mms-lines",
    old_flag: None,
    value: "NUMBERS",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "Numbers of SMS lines that can send pictures by MMS, separated by commas: numbers of the US or Canada that Vonage has enabled for MMS.",
    without: "SMS lines send no pictures",
};

/// Where media are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaPlace {
    /// In the folder `media` of the data folder.
    DataFolder,
    /// At this address.
    Url(Url),
}

/// The section's settings, checked.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Where media are kept.
    pub place: MediaPlace,
    /// The largest file, in MB.
    pub max_mb: u64,
    /// From where they are fetched.
    pub hosts: AllowedHosts,
    /// Our numbers that can send pictures by MMS.
    pub mms_numbers: Vec<String>,
    /// Whether Vonage reaches us where we listen: the demonstration's does.
    pub is_reached_directly: bool,
}

impl MediaSettings {
    /// The same in a demonstration, whose Vonage is at that address of this machine.
    #[must_use]
    pub fn in_demo(self, api_url: &str) -> Self {
        Self {
            hosts: match Url::parse(api_url) {
                Ok(url) => self.hosts.with_api(&url),
                Err(_) => self.hosts,
            },
            is_reached_directly: true,
            ..self
        }
    }
}

/// Checks the section. `api_url` is the base address of Vonage's API.
pub(super) fn check(
    values: &Values,
    api_url: Option<&str>,
    mistakes: &mut Mistakes,
) -> Option<MediaSettings> {
    let place = mistakes.note(place(values.text(&STORE)));
    let max_mb = mistakes.note(max_mb(values.text(&MAX_MB).unwrap_or_default()));
    let rules = mistakes.note(rules(values.text(&HOSTS).unwrap_or_default()));
    let mms_numbers = mistakes.note(mms_numbers(values.text(&MMS).unwrap_or_default()));
    let api_host = Url::parse(api_url?).ok()?;
    Some(MediaSettings {
        place: place?,
        max_mb: max_mb?,
        hosts: AllowedHosts::new(&api_host, rules?),
        mms_numbers: mms_numbers?,
        is_reached_directly: false,
    })
}

fn place(text: Option<&str>) -> Result<MediaPlace, String> {
    let Some(text) = text else {
        return Ok(MediaPlace::DataFolder);
    };
    let mistake = || {
        "DOCKET_MEDIA_URL must be an address such as s3://bucket/prefix or file:///var/lib/docket/media".to_owned()
    };
    if Path::new(text).is_absolute() {
        return Url::from_directory_path(text)
            .map(MediaPlace::Url)
            .map_err(|()| mistake());
    }
    let url = Url::parse(text).map_err(|_| mistake())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "DOCKET_MEDIA_URL must hold no key; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                .to_owned(),
        );
    }
    let is_whole = match url.scheme() {
        "s3" => url.host_str().is_some_and(|bucket| !bucket.is_empty()),
        "file" => url.path() != "/",
        _ => false,
    };
    if is_whole {
        Ok(MediaPlace::Url(url))
    } else {
        Err(mistake())
    }
}

fn max_mb(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|mb| (1..=10_000).contains(mb))
        .ok_or_else(|| format!("{} must be a whole number from 1 to 10000", MAX_MB.name))
}

fn rules(text: &str) -> Result<Vec<HostRule>, String> {
    text.split([',', ' ', '\n', ';'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            entry.parse().map_err(|()| {
                format!(
                    "{} holds an entry that is no host; write files.example.com, *.example.com or 192.0.2.7:8080",
                    HOSTS.name
                )
            })
        })
        .collect()
}

fn mms_numbers(text: &str) -> Result<Vec<String>, String> {
    text.split([',', ';', '\n'])
        .filter(|entry| !entry.trim().is_empty())
        .map(|entry| {
            let number = normalise_number(entry);
            if is_international_number(&number) {
                Ok(number)
            } else {
                Err(format!(
                    "{} must hold numbers with their country code, such as 12025550100",
                    MMS.name
                ))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_addresses_of_folders_and_buckets() {
        for (text, expected) in [
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/docket/media", "s3://bucket/docket/media"),
            ("file:///srv/media", "file:///srv/media"),
            ("/srv/media", "file:///srv/media/"),
        ] {
            assert_eq!(
                place(Some(text)),
                Ok(MediaPlace::Url(Url::parse(expected).unwrap())),
                "{text}"
            );
        }
        assert_eq!(place(None), Ok(MediaPlace::DataFolder));
        for wrong in [
            "media",
            "s3://",
            "https://example.com",
            "file:///",
            "s3://key:hunter2@bucket",
        ] {
            let sentence = place(Some(wrong)).unwrap_err();
            assert!(sentence.starts_with("DOCKET_MEDIA_URL"), "{wrong}");
            assert!(!sentence.contains("hunter2"));
        }
    }

    #[test]
    fn sizes_and_hosts_are_checked() {
        assert_eq!(max_mb("100"), Ok(100));
        for wrong in ["0", "-1", "x", "1.5", "10001"] {
            assert!(max_mb(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            mms_numbers("+1 202 555 0100, 12025550101").unwrap(),
            ["12025550100", "12025550101"]
        );
        assert!(mms_numbers("front desk").is_err());
        assert_eq!(rules("").unwrap().len(), 0);
        assert_eq!(rules("a.example.com, *.b.example.com").unwrap().len(), 2);
        for wrong in ["https://a.example.com/x", "a b/c", "*", "host:99999"] {
            assert!(rules(wrong).is_err(), "{wrong}");
        }
    }
}
