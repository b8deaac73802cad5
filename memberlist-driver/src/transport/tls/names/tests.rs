use super::*;

#[test]
fn the_dns_names_of_a_certificate_are_those_of_its_member() {
    let names = ["node-1".to_owned(), "127.0.0.1".to_owned(), "node-2.example".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let chain = [made.cert.der().clone()];
    let found = Names::of(Some(&chain));
    assert_eq!(found.iter().collect::<Vec<_>>(), ["node-1", "node-2.example"]);
    assert_eq!(Names::of(None), Names::default());
    assert_eq!(Names::of(Some(&[CertificateDer::from_slice(b"x")])), Names::default());
    let words = misnamed(&found, "node-3").to_string();
    assert!(words.contains("for: node-1, node-2.example; the member is node-3"), "{words}");
}
