//! The log of a run: to stderr, as text for people or as JSON lines for machines.

use std::io::{self, IsTerminal as _};

use leitmotif::config::{LogConfig, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

/// Begins to log what this process says about itself from here on; crates below it are not heard.
pub fn start(config: LogConfig) {
    let heard = Targets::new().with_target("leitmotif", level(config.level));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let color = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let layer = match config.format {
        LogFormat::Text => layer.with_target(false).with_ansi(color).boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    let subscriber = registry().with(layer.with_filter(heard));
    tracing::subscriber::set_global_default(subscriber).expect("the log is started once");
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
