//! Closers: what completes the loop at the end of a pattern.

use super::outline::ClosedLoop;
use super::report::{Place, Report};
use super::sequence::Lowering;
use crate::lang::ast::{self, CloserKind, Extent, QuantifierForm};
use crate::lang::pattern::{Closer, REPEATS_MAX, StepId, Window};

/// Where a loop with a closer stands.
pub(super) struct Placement {
    /// Of the quantifier and all that follows it.
    pub place: Place,
    pub step: StepId,
    /// The last element of the outermost sequence.
    pub last: bool,
    /// The only element of the pattern.
    pub only: bool,
    pub until: Option<Place>,
}

/// Checks the closer of a loop of one step.
pub(super) fn check(
    lowering: &mut Lowering<'_, '_>,
    closer: &ast::Closer,
    repeat: &ast::Loop,
    at: &Placement,
) -> Option<Closer> {
    let file = lowering.outline.file;
    let place = Place::new(file, closer.span);
    let report = &mut *lowering.report;
    let word = word(&closer.kind);
    check_loop(report, repeat, at, word, place);
    let window = matches!(
        closer.kind,
        CloserKind::Tumble { .. } | CloserKind::Hop { .. }
    );
    if window && !at.only {
        report
            .add("E105", place, format!("`{word}` closes the only step of a pattern"), "not the only step here")
            .help("let this pattern emit the windows, and another one read them; or use `gap` or `for`, which may follow other steps");
    } else if !at.last {
        report
            .add("E103", place, format!("`{word}` closes the last loop of a pattern"), "not the last step here")
            .help("bound this loop with `until`, a greatest number `{n,m}`, or `within` on the connector after it");
    }
    if window && let Some(until) = at.until {
        report
            .add(
                "E105",
                until,
                format!("`until` cannot end a `{word}` window"),
                "the window ends by itself",
            )
            .help("use `for` or `gap` with `until`");
    }
    let lowered = match &closer.kind {
        CloserKind::Gap(gap) => {
            positive(report, Place::new(file, gap.span), gap.value, "the gap")?;
            Closer::Gap(gap.value)
        }
        CloserKind::For(length) => {
            positive(
                report,
                Place::new(file, length.span),
                length.value,
                "the length of `for`",
            )?;
            Closer::For(length.value)
        }
        CloserKind::Tumble { size, tz } => {
            Closer::Window(extents(report, file, (size, size), tz.as_ref())?)
        }
        CloserKind::Hop { size, every, tz } => {
            Closer::Window(extents(report, file, (size, every), tz.as_ref())?)
        }
    };
    if let Closer::Window(Window::Count { .. }) = &lowered
        && repeat.quantifier.form != QuantifierForm::Plus
    {
        report
            .add(
                "E104",
                Place::new(file, repeat.quantifier.span),
                "a window of a number of events stands on `+`",
                "another quantifier",
            )
            .help("write `+`: how many events a window holds is said by the closer");
    }
    lowering.outline.closer = Some(ClosedLoop {
        closer: lowered.clone(),
        span: closer.span,
        step: at.step,
    });
    Some(lowered)
}

fn word(kind: &CloserKind) -> &'static str {
    match kind {
        CloserKind::Tumble { .. } => "tumble",
        CloserKind::Hop { .. } => "hop",
        CloserKind::Gap(_) => "gap",
        CloserKind::For(_) => "for",
    }
}

/// A closer stands on `+` or `{n,}`, as it is.
fn check_loop(report: &mut Report, repeat: &ast::Loop, at: &Placement, word: &str, place: Place) {
    let quantifier = &repeat.quantifier;
    let quantifier_place = Place::new(at.place.file, quantifier.span);
    let open = match &quantifier.form {
        QuantifierForm::Plus => true,
        QuantifierForm::AtLeast(count) => count.value >= 1,
        _ => false,
    };
    if !open {
        report
            .add(
                "E104",
                quantifier_place,
                format!("`{word}` closes a loop that is open: `+` or `{{n,}}`"),
                "this loop is not",
            )
            .also(place, "closed by this")
            .help("write `+`, or `{n,}` for windows with at least n events");
    }
    if quantifier.reluctant {
        report
            .add(
                "E104",
                quantifier_place,
                format!("a loop closed by `{word}` takes all it can"),
                "this loop takes as little as it can",
            )
            .help("remove the `?` after the quantifier");
    }
    if let Some((_, span)) = &repeat.contiguity {
        report
            .add(
                "E104",
                Place::new(at.place.file, *span),
                format!("a loop closed by `{word}` takes every event that satisfies it"),
                "not with a closer",
            )
            .help("remove the word");
    }
}

/// A window of a length and a distance.
fn extents(
    report: &mut Report,
    file: crate::lang::span::FileId,
    (size, every): (&Extent, &Extent),
    tz: Option<&ast::Text>,
) -> Option<Window> {
    let place = |extent: &Extent| match extent {
        Extent::Time(time) => Place::new(file, time.span),
        Extent::Count(count) => Place::new(file, count.span),
    };
    match (size, every) {
        (Extent::Time(length), Extent::Time(distance)) => {
            positive(report, place(size), length.value, "the length of a window")?;
            positive(
                report,
                place(every),
                distance.value,
                "the distance of windows",
            )?;
            if distance.value > length.value {
                report
                    .add(
                        "E106",
                        place(every),
                        format!(
                            "windows of {} that start every {} leave events out",
                            length.value, distance.value
                        ),
                        "longer than the window",
                    )
                    .also(place(size), "the window")
                    .help("make `every` at most as long as the window");
            }
            if let Some(tz) = tz {
                check_zone(report, Place::new(file, tz.span), &tz.value);
            }
            Some(Window::Time {
                size: length.value,
                every: distance.value,
                tz: tz.map(|tz| tz.value.clone()),
            })
        }
        (Extent::Count(length), Extent::Count(distance)) => {
            if let Some(tz) = tz {
                report
                    .add(
                        "E118",
                        Place::new(file, tz.span),
                        "a window of a number of events has no time zone",
                        "no boundaries in time",
                    )
                    .help("remove `tz`, or give the window a length in time");
            }
            if length.value < distance.value {
                report
                    .add(
                        "E106",
                        place(every),
                        format!(
                            "windows of {} events every {} leave events out",
                            length.value, distance.value
                        ),
                        "more than the window holds",
                    )
                    .also(place(size), "the window")
                    .help("make `every` at most as large as the window");
            }
            Some(Window::Count {
                size: number(report, place(size), length.value)?,
                every: number(report, place(every), distance.value)?,
            })
        }
        _ => {
            report
                .add(
                    "E106",
                    place(every),
                    "a window has its length and its distance in time, or both in events",
                    "the other kind",
                )
                .also(place(size), "one kind")
                .help("write `hop 5m every 30s` or `hop 100 every 10`");
            None
        }
    }
}

fn number(report: &mut Report, place: Place, count: u64) -> Option<u32> {
    if count == 0 {
        report
            .add(
                "E116",
                place,
                "the number of events of a window must be more than zero",
                "zero",
            )
            .help("write at least 1, such as `tumble 100`");
        return None;
    }
    if count > REPEATS_MAX {
        report
            .add(
                "E106",
                place,
                format!("a window of {count} events is larger than the {REPEATS_MAX} allowed"),
                "too large",
            )
            .help("use a window of time");
        return None;
    }
    u32::try_from(count).ok()
}

fn positive(
    report: &mut Report,
    place: Place,
    length: crate::time::Span,
    what: &str,
) -> Option<()> {
    if length.0 <= 0 {
        zero(report, place, what);
        return None;
    }
    Some(())
}

/// Says that something must be more than zero.
pub(super) fn zero(report: &mut Report, place: Place, what: &str) {
    report
        .add(
            "E116",
            place,
            format!("{what} must be more than zero"),
            "zero",
        )
        .help("write a longer one, such as `1m`");
}

/// Reports a time zone that does not exist.
pub(super) fn check_zone(report: &mut Report, place: Place, name: &str) {
    if jiff::tz::TimeZone::get(name).is_err() {
        report
            .add("E089", place, format!("there is no time zone `{name}`"), "unknown time zone")
            .help("use a name of the IANA database, such as \"Europe/Paris\", \"America/New_York\" or \"UTC\"");
    }
}
