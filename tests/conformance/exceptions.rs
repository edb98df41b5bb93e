//! Where our answer differs on purpose.

const NEVER_FAILS: &str = "there, a skip target that is missing or the match's own start is an error at run time; ours is like `none`, or removes what starts before";
const BETWEEN_ONLY: &str = "a negation rules between the events before and after it, not between the repeats of the loop before it";
const REACHES_THE_END: &str = "a `then not` that reaches the end, because what follows it is empty, rules until `within` ends";
const NO_REPETITION_WINDOW: &str =
    "there, the time window of a repetition is off by one; ours has none";
const NOT_HELD_BACK: &str =
    "ours is chosen when it completes, not held back for an earlier start that is still open";
const PREFERS_AS_WRITTEN: &str = "of candidates that complete together ours prefers by the quantifiers as written (reluctant: shorter first); there, the order of equals is that of a heap";
const EVERY_LAST_NEGATION: &str =
    "every `then not` at the end rules until `within` ends, not only the last negation written";
const PREFERS_AND_NOT_HELD_BACK: &str = "of candidates that complete together ours prefers the shorter for a reluctant loop, and it does not hold back";

/// Name of the case and why.
pub const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "AfterMatchSkipITCase.testSkipToFirstElementOfMatch",
        NEVER_FAILS,
    ),
    (
        "AfterMatchSkipITCase.testSkipToLastNonExistentPosition",
        NEVER_FAILS,
    ),
    ("NotPatternITCase.testTimesWithNotFollowedBy", BETWEEN_ONLY),
    (
        "NotPatternITCase.testNotFollowedByBeforeOptionalAtTheEnd",
        REACHES_THE_END,
    ),
    (
        "NotPatternITCase.testNotNextAfterOneOrMoreSkipTillNext",
        BETWEEN_ONLY,
    ),
    (
        "NotPatternITCase.testNotFollowedByNextAfterOneOrMoreCombinations",
        BETWEEN_ONLY,
    ),
    (
        "NotPatternITCase.testNotFollowByBeforeTimesWithin",
        REACHES_THE_END,
    ),
    (
        "TimesOrMoreITCase.testTimesOrMoreNonStrictOptional2[window=3]",
        NO_REPETITION_WINDOW,
    ),
    (
        "TimesOrMoreITCase.testTimesOrMoreNonStrictWithNext[window=3]",
        NO_REPETITION_WINDOW,
    ),
    (
        "TimesOrMoreITCase.testTimesOrMoreNotStrictWithFollowedByAny[window=3]",
        NO_REPETITION_WINDOW,
    ),
    (
        "TimesRangeITCase.testTimesRangeNonStrictOptional2[window=3]",
        NO_REPETITION_WINDOW,
    ),
    ("random.003", NOT_HELD_BACK),
    ("random.009", PREFERS_AS_WRITTEN),
    ("random.015", PREFERS_AS_WRITTEN),
    ("random.035", EVERY_LAST_NEGATION),
    ("random.039", PREFERS_AS_WRITTEN),
    ("random.064", NOT_HELD_BACK),
    ("random.105", PREFERS_AS_WRITTEN),
    ("random.123", PREFERS_AND_NOT_HELD_BACK),
    ("random.160", PREFERS_AS_WRITTEN),
    ("random.166", EVERY_LAST_NEGATION),
    ("random.169", PREFERS_AND_NOT_HELD_BACK),
    ("random.172", PREFERS_AS_WRITTEN),
    ("random.176", PREFERS_AS_WRITTEN),
    ("random.178", REACHES_THE_END),
    ("random.188", PREFERS_AS_WRITTEN),
    ("random.200", EVERY_LAST_NEGATION),
    ("random.211", NOT_HELD_BACK),
    ("random.231", NOT_HELD_BACK),
    ("random.234", EVERY_LAST_NEGATION),
    ("random.264", NOT_HELD_BACK),
];
