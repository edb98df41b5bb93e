use leitmotif::testing::{choices::Choices, compile, generate, differential::Subject};
use std::collections::BTreeMap;
fn main() {
    let n: u64 = 5000;
    let mut reasons: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut rejected = 0;
    for seed in 0..n {
        let text = generate::program_text(&mut Choices::from_seed(seed));
        if let Err(e) = compile(&text) {
            rejected += 1;
            for l in e.lines() {
                if l.starts_with('W') { continue; }
                let k: String = l.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                reasons.entry(k).or_insert((0, text.clone())).0 += 1;
            }
        }
    }
    println!("{rejected} of {n}");
    let mut v: Vec<_> = reasons.into_iter().collect();
    v.sort_by_key(|x| std::cmp::Reverse(x.1.0));
    for (k, (c, t)) in v.into_iter().take(8) { println!("{c} {k}\n{t}"); }
    let t = std::time::Instant::now();
    let mut cases = 0;
    for seed in 0..1000u64 {
        let text = generate::program_text(&mut Choices::from_seed(seed));
        let Ok(s) = Subject::new(&text) else { continue };
        for l in 0..20 { let _ = s.judge(&mut Choices::from_seed(seed * 77 + l)); cases += 1; }
    }
    println!("{cases} cases in {:?}", t.elapsed());
}
