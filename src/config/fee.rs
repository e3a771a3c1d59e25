//! The `[fee]` table.

use super::section::Section;
use super::values::{Refusal, quote};
use crate::domain::fee::Tariff;

/// Longest name of a currency, in characters.
const CURRENCY_LIMIT: usize = 8;

/// Reads the table. A setting with a finding has its built-in value.
pub(super) fn read(section: Option<Section<'_>>) -> Tariff {
    let builtin = Tariff::default();
    let Some(section) = section else { return builtin };
    // Adding 0 turns -0 into 0.
    let price = section.decimal("price").map(|price| price + 0.0);
    let named = section.parsed("currency", currency);
    section.finish();
    Tariff { price: price.unwrap_or(builtin.price), currency: named.unwrap_or(builtin.currency) }
}

fn currency(text: &str) -> Result<String, Refusal> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c.is_ascii_digit();
    if text.is_empty() || text.chars().count() > CURRENCY_LIMIT || text.contains(odd) {
        let problem = format!("{} is not a valid name of a currency", quote(text));
        return Err((problem, "write a code or a sign, such as \"USD\"".into()));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_a_code_or_a_sign() {
        for good in ["USD", "EUR", "€", "kr", "CHF/TB"] {
            assert_eq!(currency(good).as_deref(), Ok(good));
        }
        for bad in ["", " ", "US D", "U\u{1b}[2J", "0.05", "a bag of gold", "doubloons"] {
            assert!(currency(bad).is_err(), "{bad:?}");
        }
    }
}
