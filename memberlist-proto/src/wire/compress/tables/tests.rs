use crate::wire::compress::Lzw;

#[test]
fn many_nodes_take_turns_with_few_tables() {
    let mut all: Vec<Lzw> = (0..1000).map(|_| Lzw::default()).collect();
    for lzw in &mut all {
        let (mut packed, mut out) = (Vec::new(), Vec::new());
        assert!(lzw.compress(&[7; 500], 500, &mut packed));
        lzw.decompress(&packed, 500, &mut out).expect("what was compressed");
        assert_eq!(out, [7; 500]);
    }
    // Other tests use some at the same time.
    let idle = super::IDLE.lock().expect("no test panics while it has the lock").len();
    assert!((1..500).contains(&idle), "{idle}");
}
