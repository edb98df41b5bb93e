//! Codes of mistakes in how a file is written: E001 to E049.

use super::codes::CodeInfo;
use super::{Code, Severity};

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $explanation:literal)*) => {
        $(pub(crate) const $name: CodeInfo = CodeInfo {
            code: Code($code),
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
        };)*

        /// Every code of this module, by number.
        pub static SYNTAX: &[CodeInfo] = &[$($name,)*];
    };
}

codes! {
    UNKNOWN_CHARACTER "E001" "unknown character" ""
    UNTERMINATED_TEXT "E002" "text without a closing quote" ""
    UNKNOWN_UNIT "E003" "unknown unit of time" ""
    NUMBER_TOO_LARGE "E004" "number too large" ""
    UNKNOWN_ESCAPE "E005" "unknown escape" ""
    MALFORMED_NUMBER "E006" "malformed number" ""
    SINGLE_QUOTES "E007" "text in single quotes" ""
    FOREIGN_OPERATOR "E008" "operator of another language" ""
    FOREIGN_COMMENT "E009" "comment of another language" ""
    UNIT_ORDER "E010" "units of a duration out of order" ""
    UNEXPECTED "E011" "something else was expected here" ""
    UNCLOSED "E012" "bracket that is never closed" ""
    STRAY_BRACKET "E013" "bracket that closes nothing" ""
    UNKNOWN_DECLARATION "E014" "unknown declaration" ""
    UNKNOWN_CLAUSE "E015" "unknown clause" ""
    CLAUSE_ORDER "E016" "clauses in the wrong order" ""
    CLAUSE_TWICE "E017" "clause that stands twice" ""
    NO_KEY "E018" "pattern without a key" ""
    NO_MATCH "E019" "pattern without `match`" ""
    NO_OUTPUT "E020" "pattern that emits nothing" ""
    FOREIGN_CONNECTOR "E021" "connector of another language" ""
    ASSIGNMENT "E022" "`=` instead of `==`" ""
    COMPARISON_CHAIN "E023" "chained comparison" ""
    MISSING_OPERAND "E024" "missing expression" ""
    NEGATION "E025" "too much after `not`" ""
    LONELY_ALL "E026" "`all` with one member" ""
    LOOP_PLACE "E027" "loop in the wrong place" ""
    CONNECTOR_BOUND "E028" "bound of a connector behind its step" ""
    NO_UNIT "E029" "duration without a unit" ""
    MISSING_COMMA "E030" "missing comma" ""
    KEYWORD_AS_NAME "E031" "keyword as a name" ""
    ANNOTATION "E032" "malformed annotation" ""
    INCOMPLETE_TEST "E033" "test without `given` or `expect`" ""
    FILE_TOO_LARGE "E040" "file too large" ""
    NESTING_TOO_DEEP "E041" "brackets nested too deep" ""
    EXPRESSION_TOO_DEEP "E042" "expression too deep" ""
    TOO_MANY_TOKENS "E043" "too many words and signs in one file" ""
    TOO_MANY_MISTAKES "E044" "too many mistakes in one file" ""
}
