use super::*;

#[test]
fn too_few_descriptors_are_explained() {
    assert_eq!(enough_descriptors(1000, None), Ok(()));
    assert_eq!(enough_descriptors(5, Some(1024)), Ok(()));
    let error = enough_descriptors(1000, Some(1024)).unwrap_err().to_string();
    for word in ["1000 nodes", "3064", "1024", "ulimit -n 3064", "--nodes 320"] {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
    assert_eq!(enough_descriptors(320, Some(1024)), Ok(()));
}
