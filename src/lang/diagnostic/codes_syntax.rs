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
    EXPRESSION_TOO_DEEP "E042" "expression too deep" ""
    FILE_TOO_LARGE "E040" "file too large" ""
    TOO_MANY_TOKENS "E043" "too many words and signs in one file" ""
}
