//! The sentences about files.

pub(in crate::console) const HEALTH_MEDIA: &str = "Files of messages";
pub(in crate::console) const HEALTH_MEDIA_NONE: &str = "No file waits to be fetched.";
pub(in crate::console) const HEALTH_MEDIA_ADVICE: &str = "Vonage deletes files after 48 hours. The case says why each is missing: see that Docket reaches Vonage, add a host to DOCKET_MEDIA_HOSTS, or raise DOCKET_MEDIA_MAX_MB, and start Docket again.";

/// How many files wait, and since when.
pub(in crate::console) fn media_waiting(waiting: u64, retrying: u64, oldest: &str) -> String {
    let files = |count: u64| {
        if count == 1 {
            "1 file waits".to_owned()
        } else {
            format!("{count} files wait")
        }
    };
    if retrying == 0 {
        format!("{} to be fetched.", files(waiting))
    } else {
        format!(
            "{} to be fetched, {retrying} of them after a try that failed; the oldest came {oldest}.",
            files(waiting)
        )
    }
}

/// How many files were given up.
pub(in crate::console) fn media_failed(failed: u64) -> String {
    if failed == 1 {
        "1 file could not be fetched in the last 48 hours.".to_owned()
    } else {
        format!("{failed} files could not be fetched in the last 48 hours.")
    }
}

pub(in crate::console) const ATTACH: &str = "Attach a file";
pub(in crate::console) const ATTACHED: &str = "The file that you chose goes out with the reply.";
pub(in crate::console) const UPLOADING: &str = "The file is on its way";
pub(in crate::console) const UPLOAD_FAILED: &str =
    "The file could not be uploaded. It may be too large, or you are signed out.";
pub(in crate::console) const REMOVE_FILE: &str = "Remove";
pub(in crate::console) const NO_FILE: &str = "Choose a file that is not empty.";

/// A type as people know it.
pub(in crate::console) fn type_name(media_type: &str) -> String {
    let known = match media_type {
        "application/octet-stream" => "File",
        "application/pdf" => "PDF",
        "text/plain" => "Text",
        "text/vcard" => "Contact card",
        "audio/ogg" => "Voice message",
        "audio/mpeg" => "MP3",
        "video/quicktime" => "QuickTime",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "Word",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "Excel",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => "PowerPoint",
        other => {
            let name = other.rsplit('/').next().unwrap_or(other);
            return name.trim_start_matches("x-").to_uppercase();
        }
    };
    known.to_owned()
}

/// What a picture is called for those who do not see it.
pub(in crate::console) fn picture(title: &str) -> String {
    if title == super::CARD_PHOTO {
        "Photo".to_owned()
    } else {
        format!("Photo: {title}")
    }
}
