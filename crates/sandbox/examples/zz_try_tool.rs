fn main() {
    let mut args = std::env::args().skip(1);
    let shown = args.next().unwrap().split(',').map(std::path::PathBuf::from).collect();
    let files: std::collections::BTreeMap<String, Vec<u8>> = args
        .next()
        .unwrap()
        .split(',')
        .filter(|f| !f.is_empty())
        .map(|f| {
            (std::path::Path::new(f).file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(f).unwrap())
        })
        .collect();
    let s = codeward_sandbox::Sandbox::start_with(&codeward_sandbox::Settings { shown, ..Default::default() }).unwrap();
    let mut t = codeward_sandbox::Tool::new(args.collect(), files);
    t.env = std::env::vars().filter(|(k, _)| k.starts_with("T_")).map(|(k, v)| (k[2..].to_owned(), v)).collect();
    let o = s.run_tool(&t).unwrap();
    println!(
        "{:?} wall {:?} cpu {:?} rss {} files {:?} tamper {:?} sockets {:?}",
        o.end,
        o.wall,
        o.cpu,
        o.max_rss_kib,
        o.files.iter().map(|(k, v)| (k, v.size)).collect::<Vec<_>>(),
        o.tamper,
        o.observed.sockets
    );
    println!("{}", String::from_utf8_lossy(&o.stdout));
    println!("ERR {}", String::from_utf8_lossy(&o.stderr));
}
