use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

fn file(text: &str) -> Result<RawConfig, Error> {
    RawConfig::from_toml("l.toml", text, &environment(&[("SECRET", "s3")]))
}

fn complete(text: &str) -> Config {
    file(text).expect("no mistakes").complete(Cores(3))
}

#[track_caller]
fn wrong(text: &str, wanted: &[&str]) {
    let error = file(text).expect_err("mistakes");
    let told: Vec<String> = error.mistakes().iter().map(Mistake::to_string).collect();
    assert_eq!(told, wanted);
}

#[test]
fn every_key_has_its_effect() {
    let config = complete(
        r#"
patterns = ["patterns/fraud", "door.motif"]
shards = 2
delay = "2s"
idle = "30s"
type-field = "kind"
follow = true
http = "127.0.0.1:9464"
log = "debug"
log-format = "json"
state = "/var/lib/leitmotif"
checkpoint = "1s"
checkpoint-keep = 5
state-memory = "2GiB"
on-change = "refuse"
restart = "failure-rate"
restart-delay = "5s"
restart-delay-max = "20s"
restart-attempts = 3
restart-window = "1h"
join = "fraud"
scratch = "/var/tmp"
[sources.zebra]
event = "Txn"
url = "cards.ndjson"
delay = "5s"
idle = "off"
time = "ingestion"
[sources.ant]
url = "all.csv.gz"
[outputs]
fraud = "alerts.ndjson"
"*" = "all.ndjson"
[tables]
Rating = "ratings.csv"
[params]
limit = 5
share = 0.50
name = "x"
on = true
since = 2024-01-01T00:00:00Z
"#,
    );
    let Config {
        program,
        input,
        outputs,
        shards,
        http,
        log,
        state,
        join,
    } = config;
    let want = JoinConfig {
        group: "fraud".to_owned(),
        scratch: "/var/tmp".into(),
    };
    assert_eq!(join, Some(want));
    let want = StateConfig {
        place: StatePlace::Folder("/var/lib/leitmotif".into()),
        checkpoint: Span(1_000),
        keep: 5,
        memory_bytes: 2 << 30,
        on_change: OnChange::Refuse,
        restart: Restart {
            policy: RestartPolicy::FailureRate,
            delay: Duration::from_secs(5),
            delay_max: Duration::from_secs(20),
            attempts: 3,
            window: Duration::from_secs(3_600),
        },
    };
    assert_eq!(state, Some(want));
    assert_eq!(
        program.patterns,
        [PathBuf::from("patterns/fraud"), PathBuf::from("door.motif")]
    );
    let params: Vec<(&str, &str)> = (program.params.iter())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let wanted = [
        ("limit", "5"),
        ("share", "0.50"),
        ("name", "x"),
        ("on", "true"),
        ("since", "2024-01-01T00:00:00Z"),
    ];
    assert_eq!(params, wanted);
    assert_eq!(
        program.tables,
        [("Rating".to_owned(), PathBuf::from("ratings.csv"))]
    );
    assert_eq!(shards, 2);
    assert_eq!(http, Some(([127, 0, 0, 1], 9464).into()));
    assert_eq!((log.level, log.format), (LogLevel::Debug, LogFormat::Json));
    assert_eq!((input.type_field.as_str(), input.follow), ("kind", true));
    let want = [
        SourceConfig {
            name: "zebra".into(),
            spec: SourceSpec::parse("Txn=cards.ndjson").unwrap(),
            delay: Span(5_000),
            idle: Idle::Off,
            time: TimeBasis::Ingestion,
        },
        SourceConfig {
            name: "ant".into(),
            spec: SourceSpec::parse("all.csv.gz").unwrap(),
            delay: Span(2_000),
            idle: Idle::After(Span(30_000)),
            time: TimeBasis::Event,
        },
    ];
    assert_eq!(input.sources, want, "in the order of the file");
    let want = ["fraud=alerts.ndjson", "all.ndjson"];
    assert_eq!(outputs, want.map(|text| OutputSpec::parse(text).unwrap()));
}

#[test]
fn what_nobody_says_has_a_default() {
    let config = complete("[sources.a]\nurl = \"a.csv\"");
    assert_eq!(config.shards, 3, "one per core");
    assert_eq!(config.http, None);
    assert_eq!(config.log.level, LogLevel::Warn);
    assert_eq!(config.input.type_field, "type");
    assert_eq!(config.input.delay, Span(0));
    let source = &config.input.sources[0];
    assert_eq!(source.idle.after(Extent::Bounded), None);
    assert_eq!(source.idle.after(Extent::Unbounded), Some(IDLE_DEFAULT));
    let state = complete("state = \"s\"").state.expect("a folder");
    assert_eq!(state.restart, Restart::DEFAULT);
    assert_eq!(RawConfig::default().complete(Cores(0)).shards, 1);
    assert_eq!(RawConfig::default().complete(Cores(9_999)).shards, 256);
}

#[test]
fn idle_of_a_source_goes_before_its_extent() {
    let config = complete(
        "idle = \"off\"\n[sources.a]\nurl = \"a.csv\"\n[sources.b]\nurl = \"b.csv\"\nidle = \"1s\"",
    );
    let [a, b] = &config.input.sources[..] else {
        panic!("two sources")
    };
    assert_eq!(a.idle.after(Extent::Unbounded), None);
    assert_eq!(b.idle.after(Extent::Bounded), Some(Span(1_000)));
}

#[test]
fn the_later_place_wins() {
    let lower = file("shards = 2\ndelay = \"2s\"\nhttp = \"9464\"\npatterns = [\"a\"]\n[sources.a]\nurl = \"a.csv\"\n[params]\nx = 1\ny = 2").unwrap();
    let middle = RawConfig::from_environment(&environment(&[
        ("LEITMOTIF_DELAY", "3s"),
        ("LEITMOTIF_SHARDS", "4"),
        ("LEITMOTIF_FOLLOW", "true"),
        ("LEITMOTIF_TYPE_FIELD", "kind"),
        ("LEITMOTIF_LOG_FORMAT", "json"),
        ("LEITMOTIF_CONFIG", "l.toml"),
        ("PATH", "/bin"),
    ]))
    .unwrap();
    let upper = RawConfig {
        overrides: Overrides {
            shards: Some("5".parse().unwrap()),
            http: Some(Http::Off),
            ..Overrides::default()
        },
        sources: vec![SourceSpec::parse("b.csv").unwrap().into()],
        params: vec![("y".into(), "3".into())],
        ..RawConfig::default()
    };
    let config = upper.over(middle.over(lower)).complete(Cores(1));
    assert_eq!(config.shards, 5);
    assert_eq!(config.input.delay, Span(3_000));
    assert_eq!(config.input.type_field, "kind");
    assert!(config.input.follow);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.http, None, "a flag turns off what the file turns on");
    assert_eq!(config.program.patterns, [PathBuf::from("a")]);
    let names: Vec<&str> = (config.input.sources.iter())
        .map(|source| source.name.as_str())
        .collect();
    assert_eq!(names, ["b.csv"], "sources are replaced as a whole");
    let params = [("y".to_owned(), "3".to_owned()), ("x".into(), "1".into())];
    assert_eq!(config.program.params, params, "params by name");
}

#[test]
fn all_mistakes_of_a_file_are_told_with_their_places() {
    wrong(
        r#"shrads = 2
delay = "5min"
shards = "2"
follow = 1
idle = 3
http = "example:x"
log = "inof"
patterns = "a"
[sources.cards]
uri = "a.csv"
[sources.b]
url = "a.parquet"
idle = "0s"
event = "not a name"
[outputs]
fraud = 3
"not a name" = "a"
[tables]
Rating = ["a"]
[params]
x = [1]
[output]
"#,
        &[
            "l.toml:1:1: unknown key \"shrads\"; did you mean \"shards\"?",
            "l.toml:2:9: delay: \"5min\" is no duration; write a number with a unit (ms, s, m, h or d), such as 2s, 250ms or 1h30m",
            "l.toml:3:10: shards: \"2\" is no number; write it without quotes, such as 2",
            "l.toml:4:10: follow: \"1\" is neither true nor false; write one of them, without quotes",
            "l.toml:5:8: idle: 3 is no text; write it in quotes: \"3\"",
            "l.toml:6:8: http: \"example:x\" is no address; write IP:PORT such as 127.0.0.1:9464, :9464 for this machine only, or off",
            "l.toml:7:7: log: unknown log level \"inof\"; did you mean \"info\"?",
            "l.toml:8:12: patterns is a list; write patterns = [\"folder\"]",
            "l.toml:9:10: source \"cards\" has no url; add one, such as url = \"events.ndjson\"",
            "l.toml:10:1: source \"cards\": unknown key \"uri\"; did you mean \"url\"?",
            "l.toml:12:7: source \"a.parquet\": the ending does not tell the format; known are .ndjson .jsonl .json .csv, each also with .gz or .zst, and folders of them",
            "l.toml:13:8: source \"b\": idle: no source is ever that quick; write a longer time, or off",
            "l.toml:14:9: source \"b\": event: \"not a name\" is no name of an event type; write it as the patterns do, or leave event out where records tell their type",
            "l.toml:16:9: output \"fraud\": that is a whole number, no text; write it in quotes",
            "l.toml:17:1: \"not a name\" is no name of an output; write the name of a stream, or \"*\" for all that have no line of their own",
            "l.toml:19:10: table \"Rating\": that is a list, no text; write it in quotes",
            "l.toml:21:5: param \"x\": that is a list; write a single value",
            "l.toml:22:2: unknown key \"output\"; did you mean \"outputs\"?",
        ],
    );
}

#[test]
fn number_of_shards_has_its_limits() {
    for out in ["0", "257", "-1", "99999999999"] {
        wrong(
            &format!("shards = {out}"),
            &[&format!(
                "l.toml:1:10: shards: {out} is no number of threads; write a whole number from 1 to 256"
            )],
        );
    }
    assert_eq!(complete("shards = 256").shards, 256);
}

#[test]
fn text_that_is_no_toml_is_told_with_its_place() {
    let error = file("shards = 2\ndelay =\n= 3\n").unwrap_err();
    let places: Vec<&str> = (error.mistakes().iter())
        .map(|mistake| mistake.place.as_str())
        .collect();
    assert_eq!(places, ["l.toml:2:8", "l.toml:3:1"], "{error}");
    let error = file("shards = 2\nshards = 3\n").unwrap_err().to_string();
    assert!(error.starts_with("l.toml:2:1: duplicate key"), "{error}");
}

#[test]
fn variables_stand_in_any_text() {
    let config = complete(
        "patterns = [\"${SECRET}/a\"]\n[outputs]\nfraud = \"a/${SECRET}/${SECRET}.ndjson\"\n[params]\nx = \"$${SECRET} $5 ${SECRET}\"",
    );
    assert_eq!(config.program.patterns, [PathBuf::from("s3/a")]);
    assert_eq!(
        config.outputs,
        [OutputSpec::parse("fraud=a/s3/s3.ndjson").unwrap()]
    );
    assert_eq!(config.program.params[0].1, "${SECRET} $5 s3");
    wrong(
        "[outputs]\nfraud = \"${SECERT}\"\nlate = \"${SECRET\"\ntype-field=\"a\"",
        &[
            "l.toml:2:9: output \"fraud\": environment variable \"SECERT\" is not set; set it, or write $${ for the characters themselves",
            "l.toml:3:8: output \"late\": ${ is not closed; write ${VAR}, or $${ for the characters themselves",
            "l.toml:4:1: \"type-field\" is no name of an output; write the name of a stream, or \"*\" for all that have no line of their own",
        ],
    );
}

#[test]
fn secret_that_looks_like_a_variable_is_not_expanded_again() {
    let environment = environment(&[("A", "${B}"), ("B", "no")]);
    let raw = RawConfig::from_toml("l.toml", "[params]\nx = \"${A}\"", &environment).unwrap();
    assert_eq!(raw.params[0].1, "${B}");
}

#[test]
fn place_that_looks_like_a_name_is_a_place() {
    let config = complete("[sources.a]\nurl = \"day=1/a.csv\"\n[outputs]\n\"*\" = \"day=1/out\"");
    assert_eq!(
        config.input.sources[0].spec,
        SourceSpec::parse("file:day=1/a.csv").unwrap()
    );
    assert_eq!(config.input.sources[0].spec.event_type, None);
    assert_eq!(config.outputs[0].name, None);
}

#[test]
fn unknown_variables_of_ours_are_mistakes_with_the_nearest_name() {
    let error = RawConfig::from_environment(&environment(&[
        ("LEITMOTIF_SHRADS", "2"),
        ("LEITMOTIF_LOG", "loud"),
        ("LEITMOTIF_SHARDS", "many"),
        ("LEITMOTIF_CASES", "1"),
        ("LEITMOTIF_SEED", "1"),
        ("SHRADS", "2"),
    ]))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 mistakes in the configuration:
  LEITMOTIF_LOG: unknown log level \"loud\"; there is off, error, warn, info, debug, trace
  LEITMOTIF_SHARDS: many is no number of threads; write a whole number from 1 to 256
  LEITMOTIF_SHRADS: unknown environment variable \"LEITMOTIF_SHRADS\"; did you mean \"LEITMOTIF_SHARDS\"?"
    );
}

#[test]
fn address_without_a_host_is_this_machine_only() {
    for text in ["9464", ":9464", "localhost:9464", "127.0.0.1:9464"] {
        let address = ([127, 0, 0, 1], 9464).into();
        assert_eq!(text.parse(), Ok(Http::At(address)), "{text}");
    }
    assert_eq!("off".parse(), Ok(Http::Off));
    let all = ([0, 0, 0, 0], 80).into();
    assert_eq!("0.0.0.0:80".parse(), Ok(Http::At(all)));
    for text in ["", "127.0.0.1", "host:1", "localhost", "99999"] {
        assert!(text.parse::<Http>().is_err(), "{text}");
    }
}

/// What the client of the only source is told.
fn settings_of(config: &Config) -> Vec<(String, String)> {
    let Place::Kafka(topics) = &config.input.sources[0].spec.place else {
        panic!("no topics");
    };
    let settings = topics.cluster.resolved().expect("no variables");
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    settings.into_iter().map(owned).collect()
}

#[test]
fn nearer_settings_of_a_kafka_client_win() {
    let text = r#"
[kafka]
security.protocol = "SASL_SSL"
sasl = { username = "all", password = "${SECRET}${" }
"fetch.min.bytes" = 1
check.crcs = true
[sources.cards]
url = "kafka://a/cards?kafka.fetch.min.bytes=3"
kafka.sasl.username = "cards"
kafka.fetch.min.bytes = 2
[outputs]
fraud = "kafka://a/alerts?kafka.sasl.username=alerts"
"#;
    let error = file(text).expect_err("a mistake").to_string();
    assert!(
        error.contains("l.toml:4:39: kafka: sasl.password: ${ is not closed"),
        "{error}"
    );
    let config = complete(&text.replace("}${", "}"));
    let wanted = [
        ("check.crcs", "true"),
        ("fetch.min.bytes", "3"),
        ("sasl.password", "s3"),
        ("sasl.username", "cards"),
        ("security.protocol", "SASL_SSL"),
    ];
    let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(settings_of(&config), wanted);
    let Target::Kafka(topic) = &config.outputs[0].target else {
        panic!("no topic");
    };
    let settings = topic.cluster.resolved().expect("no variables");
    assert_eq!(settings[3], ("sasl.username", "alerts".to_owned()));
}

#[test]
fn settings_of_the_file_hold_for_sources_of_flags() {
    let environment = environment(&[]);
    let lower = RawConfig::from_toml("l.toml", "[kafka]\ndebug = \"all\"", &environment).unwrap();
    let flags = RawConfig {
        sources: vec![SourceSpec::parse("Txn=kafka://a/cards").unwrap().into()],
        ..RawConfig::default()
    };
    let config = flags.over(lower).complete(Cores(1));
    assert_eq!(
        settings_of(&config),
        [("debug".to_owned(), "all".to_owned())]
    );
}

#[test]
fn wrong_settings_of_a_kafka_client_are_mistakes() {
    wrong(
        "kafka = 1\n[sources.a]\nurl = \"kafka://a/t\"\nkafka.group.id = \"g\"\n[sources.b]\nurl = \"b.csv\"\nkafka.debug = \"all\"\n",
        &[
            "l.toml:1:9: kafka is a table; write a line for each setting, such as security.protocol = \"SASL_SSL\"",
            "l.toml:4:18: source \"a\": kafka: group.id: kafka.group.id cannot be set; write group=NAME",
            "l.toml:7:1: source \"b\": kafka has settings for topics, and this is none; leave it out",
        ],
    );
}

#[test]
fn state_lies_in_a_folder_or_in_a_bucket() {
    let place = |text: &str| -> Result<State, String> { text.parse() };
    assert_eq!(place("memory"), Ok(State::Memory));
    assert_eq!(place("a/b"), Ok(State::Folder("a/b".into())));
    let objects = State::Objects("s3://bucket/fraud".to_owned());
    assert_eq!(place("s3://bucket/fraud/"), Ok(objects));
    for (text, wanted) in [
        ("s3://", "names no bucket"),
        ("gs://bucket", "\"gs://\" is no storage that is known"),
    ] {
        let error = place(text).expect_err("it is none");
        assert!(error.contains(wanted), "{error}");
    }
    let group = |text: &str| text.parse::<GroupName>().map(|name| name.0);
    assert_eq!(group("fraud.eu"), Ok("fraud.eu".to_owned()));
    assert!(group("").is_err() && group("a b").is_err());
}
