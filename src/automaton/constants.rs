//! Lists of constants in conditions: `kind in ["a", "b"]`.

use super::lookup::{ByValue, is_ordered};
use crate::event::Value;
use crate::lang::scalar;

/// A list of constants; from a few on with a table.
#[derive(Clone, Debug)]
pub(crate) struct Constants {
    pub list: Vec<Value>,
    table: Option<ByValue<()>>,
}

impl Constants {
    /// From so many constants on, a table is quicker than the list.
    const TABLE_FROM: usize = 5;

    pub(crate) fn new(list: Vec<Value>) -> Constants {
        let wanted = list.len() >= Constants::TABLE_FROM && list.iter().all(is_ordered);
        let table = wanted.then(|| {
            let mut table = ByValue::default();
            for value in &list {
                table.entry(value, || ());
            }
            table
        });
        Constants { list, table }
    }

    /// `needle in list`, `needle not in list`: as [`scalar::contains`] says.
    pub(crate) fn hold(&self, needle: &Value, negated: bool) -> bool {
        match &self.table {
            Some(_) if needle.is_null() => false,
            Some(table) => table.find(needle).next().is_some() != negated,
            None => scalar::holds(&scalar::contains(needle, &self.list, negated)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    #[test]
    fn a_list_of_constants_holds_what_comparing_with_each_says() {
        let mut list: Vec<Value> = (0..6).map(Value::Int).collect();
        list.extend([Value::Str("a".into()), Value::Decimal(Decimal::new(70, 1))]);
        let needles = [
            Value::Null,
            Value::Int(3),
            Value::Int(7),
            Value::Int(9),
            Value::Float(2.0),
            Value::Float(2.5),
            Value::Float(f64::NAN),
            Value::Decimal(Decimal::new(300, 2)),
            Value::Str("a".into()),
            Value::Str("b".into()),
            Value::Bool(true),
        ];
        let mut with_null = list.clone();
        with_null.push(Value::Null);
        for list in [list.clone(), list[..3].to_vec(), Vec::new(), with_null] {
            let constants = Constants::new(list.clone());
            for (needle, negated) in needles.iter().flat_map(|n| [(n, false), (n, true)]) {
                let wanted = scalar::contains(needle, &list, negated);
                assert_eq!(
                    Value::Bool(constants.hold(needle, negated)),
                    wanted,
                    "{needle:?} in {list:?}, negated: {negated}"
                );
            }
        }
    }
}
