//! Formulas cut into tokens.

use super::formula::FormulaError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    /// `b3`, `nir`, `sqrt`, `and`.
    Word(String),
    /// `'B8A'` or `"B8A"`, without the quotes.
    Quoted(String),
    /// An operator, bracket or comma, as [`SYMBOLS`] spells it.
    Symbol(&'static str),
    End,
}

/// Longer ones first.
const SYMBOLS: [&str; 19] =
    ["<=", ">=", "==", "!=", "&&", "||", "**", "<", ">", "=", "+", "-", "*", "/", "^", "!", "(", ")", ","];

impl Token {
    /// For messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Number(value) => format!("`{value}`"),
            Self::Word(word) => format!("`{word}`"),
            Self::Quoted(name) => format!("'{name}'"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Tokens and their columns, counted in characters from 1; the last is `End`.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, FormulaError> {
    let mut tokens = Vec::new();
    let (mut rest, mut column) = (source, 1);
    loop {
        let trimmed = rest.trim_start();
        column += rest[..rest.len() - trimmed.len()].chars().count();
        rest = trimmed;
        let Some(first) = rest.chars().next() else { break };
        let (token, length) = if first.is_ascii_digit() || first == '.' {
            number(rest, column)?
        } else if first.is_alphabetic() || first == '_' {
            let length = prefix(rest, |c| c.is_alphanumeric() || c == '_');
            (Token::Word(rest[..length].to_owned()), length)
        } else if first == '\'' || first == '"' {
            let end = rest[1..].find(first).ok_or(FormulaError::OpenQuote { column })?;
            (Token::Quoted(rest[1..=end].to_owned()), end + 2)
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (Token::Symbol(symbol), symbol.len())
        } else {
            return Err(FormulaError::Character { column, character: first });
        };
        tokens.push((column, token));
        column += rest[..length].chars().count();
        rest = &rest[length..];
    }
    tokens.push((column, Token::End));
    Ok(tokens)
}

/// Digits, a point, an exponent.
fn number(rest: &str, column: usize) -> Result<(Token, usize), FormulaError> {
    let mut length = prefix(rest, |c| c.is_ascii_digit() || c == '.');
    if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
        let signed = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let digits = prefix(signed, |c| c.is_ascii_digit());
        if digits > 0 {
            length += 1 + (exponent.len() - signed.len()) + digits;
        }
    }
    let text = &rest[..length];
    let value = text.parse().map_err(|_| FormulaError::Number { column, text: text.to_owned() })?;
    Ok((Token::Number(value), length))
}

/// Bytes of the leading characters that fit.
fn prefix(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !fits(c)).unwrap_or(text.len())
}
