use super::*;

fn hosts(rules: &str) -> AllowedHosts {
    let rules = rules
        .split(',')
        .filter(|rule| !rule.is_empty())
        .map(|rule| rule.parse().unwrap())
        .collect();
    AllowedHosts::new(&Url::parse("http://127.0.0.1:4100").unwrap(), rules)
}

#[test]
fn only_vonages_hosts_the_apis_and_listed_ones_are_called() {
    let hosts = hosts("files.example.com,*.cdn.example.com,192.0.2.7:8080,::1,localhost:9000");
    for (address, with_token) in [
        ("https://api.nexmo.com/v3/media/1", true),
        ("https://api-us.nexmo.com/v3/media/1", true),
        ("https://API.Nexmo.com./v3/media/1", true),
        ("https://media.vonage.com/1", true),
        ("http://127.0.0.1:4100/media/1", true),
        ("http://127.0.0.1:4101/media/1", true),
        // Other spellings of the same address.
        ("http://2130706433:4100/media/1", true),
        ("http://0x7f.1:4100/media/1", true),
        ("https://files.example.com/1", false),
        ("http://files.example.com:81/1", false),
        ("https://a.b.cdn.example.com/1", false),
        ("http://192.0.2.7:8080/1", false),
        ("http://[::1]:7/1", false),
        ("http://localhost:9000/1", false),
    ] {
        let allowed = hosts.check(address).unwrap_or_else(|failure| {
            panic!("{address}: {failure:?}");
        });
        assert_eq!(allowed.with_token, with_token, "{address}");
    }
}

#[test]
fn all_other_hosts_are_refused_by_their_name() {
    let hosts = hosts("files.example.com,*.cdn.example.com,192.0.2.7:8080");
    for (address, host) in [
        ("https://example.com/1", "example.com"),
        ("https://nexmo.com.example.com/1", "nexmo.com.example.com"),
        ("https://evilnexmo.com/1", "evilnexmo.com"),
        ("https://cdn.example.com/1", "cdn.example.com"),
        ("https://evilcdn.example.com/1", "evilcdn.example.com"),
        ("http://192.0.2.7:8081/1", "192.0.2.7"),
        ("http://192.0.2.7/1", "192.0.2.7"),
        ("http://10.0.0.1/1", "10.0.0.1"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("http://2852039166/latest", "169.254.169.254"),
        ("http://0251.0376.0251.0376/", "169.254.169.254"),
        ("http://[::ffff:169.254.169.254]/", "[::ffff:a9fe:a9fe]"),
        ("http://[::1]/", "[::1]"),
        ("http://localhost/", "localhost"),
        ("https://api.nexmo.com:8443/", "api.nexmo.com"),
    ] {
        assert_eq!(
            hosts.check(address),
            Err(MediaFailure::Host {
                host: host.to_owned()
            }),
            "{address}"
        );
    }
}

#[test]
fn an_address_that_cannot_be_called_is_none() {
    let hosts = hosts("");
    for address in [
        "",
        "photo.jpg",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://api.nexmo.com/1",
        "data:image/png;base64,AAAA",
        "https://",
        "https://me:secret@api.nexmo.com/1",
    ] {
        assert_eq!(
            hosts.check(address),
            Err(MediaFailure::Address),
            "{address}"
        );
    }
}

#[test]
fn vonages_hosts_are_called_by_https() {
    let allowed = hosts("")
        .check("http://api.nexmo.com/v3/media/1#x")
        .unwrap();
    assert_eq!(allowed.url.as_str(), "https://api.nexmo.com/v3/media/1");
}

#[test]
fn private_addresses_are_told_however_they_are_written() {
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "100::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "172.15.0.1",
        "172.32.0.1",
        "192.169.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn a_name_of_vonages_never_leads_to_a_private_address() {
    let hosts = hosts("media.nexmo.com,files.example.com");
    let resolver = hosts.resolver();
    let found = |addresses: &[&str]| -> Vec<SocketAddr> {
        addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect()
    };
    let mixed = found(&["127.0.0.1", "8.8.8.8", "::ffff:10.0.0.1"]);
    assert_eq!(
        resolver.allowed("api.nexmo.com", mixed.clone()).unwrap(),
        found(&["8.8.8.8"])
    );
    assert!(
        resolver
            .allowed("api.nexmo.com", found(&["10.0.0.1", "::1"]))
            .is_err()
    );
    assert_eq!(resolver.allowed("api.nexmo.com", vec![]).unwrap(), vec![]);
    // The operator chose these.
    assert_eq!(
        resolver.allowed("media.nexmo.com", mixed.clone()).unwrap(),
        mixed
    );
    assert_eq!(
        resolver
            .allowed("files.example.com", mixed.clone())
            .unwrap(),
        mixed
    );
}
