use leitmotif::testing::{choices::Choices, compile, generate};
use std::collections::BTreeMap;
fn main() {
    let n: u64 = 3000;
    let mut reasons: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut rejected = 0;
    let t = std::time::Instant::now();
    for seed in 0..n {
        let text = generate::program_text(&mut Choices::from_seed(seed));
        if let Err(e) = compile(&text) {
            rejected += 1;
            for l in e.lines() {
                if l.starts_with('W') { continue; }
                let k: String = l.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                let e = reasons.entry(k).or_insert((0, text.clone()));
                e.0 += 1;
            }
        }
    }
    println!("{rejected} of {n} in {:?}", t.elapsed());
    let mut v: Vec<_> = reasons.into_iter().collect();
    v.sort_by_key(|x| std::cmp::Reverse(x.1.0));
    for (k, (c, t)) in v.into_iter().take(14) {
        println!("{c} {k}\n{t}");
    }
    for seed in 0..4 { println!("{}", generate::program_text(&mut Choices::from_seed(seed))); }
}
