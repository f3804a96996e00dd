//! Formulas over bands, parsed into a program for a stack machine.
//!
//! ```text
//! formula    = and { ("or" | "||") and }
//! and        = not { ("and" | "&&") not }
//! not        = [ "not" | "!" ] not | comparison
//! comparison = sum [ ("<" | "<=" | ">" | ">=" | "==" | "=" | "!=") sum ]
//! sum        = product { ("+" | "-") product }
//! product    = unary { ("*" | "/") unary }
//! unary      = ("-" | "+") unary | power
//! power      = value [ ("^" | "**") unary ]            -2^2 is -4, 2^3^2 is 2^9
//! value      = number | "pi" | band | function "(" formula { "," formula } ")" | "(" formula ")"
//! band       = "b1", "b2", … | a role (nir, swir_1) | a band's name, in quotes if need be
//! ```
//!
//! Operators are emitted as they are read, so there is no tree, and a formula of any shape
//! needs no more of the thread's stack than [`MAX_DEPTH`] allows.

use super::lexer::{Token, tokens};
use super::program::{Function, Operation};

/// Characters of a formula.
const MAX_LENGTH: usize = 4096;
/// Brackets, calls, signs and powers inside each other.
const MAX_DEPTH: usize = 64;

/// A formula whose band names are not looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    pub(super) source: String,
    /// `Load(i)` loads what `names[i]` stands for.
    pub(super) operations: Vec<Operation>,
    pub(super) names: Vec<Name>,
}

/// A band as the formula calls it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    pub(super) column: usize,
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// What is wrong with a formula. Columns are characters counted from 1.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FormulaError {
    #[error("column {column}: expected {expected}, found {found}")]
    Expected { column: usize, expected: &'static str, found: String },
    #[error("column {column}: `{character}` has no meaning in a formula")]
    Character { column: usize, character: char },
    #[error("column {column}: `{text}` is no number")]
    Number { column: usize, text: String },
    #[error("column {column}: the quote is not closed")]
    OpenQuote { column: usize },
    #[error("column {column}: there is no function `{name}`; there are {}", Function::NAMES)]
    Function { column: usize, name: String },
    #[error("column {column}: {name} takes {expected}, found {found}")]
    Arguments { column: usize, name: String, expected: &'static str, found: usize },
    #[error("column {column}: comparisons cannot be chained, join them with `and`")]
    Chained { column: usize },
    #[error("column {column}: brackets and signs are nested deeper than {MAX_DEPTH}")]
    TooDeep { column: usize },
    #[error("the formula is longer than {MAX_LENGTH} characters")]
    TooLong,
    #[error("the formula names no band, for example b1 or nir")]
    NoBands,
    #[error("column {column}: there is no band {number}, the scene has {n_bands}")]
    BandNumber { column: usize, number: String, n_bands: usize },
    #[error("column {column}: no {label} band (`{role}`) is known in this scene: name it by number, as b4")]
    Role { column: usize, role: &'static str, label: &'static str },
    #[error(
        "column {column}: there is no band `{name}`: use b1, b2, …, a role such as nir, or a band's name in quotes"
    )]
    BandName { column: usize, name: String },
    #[error("column {column}: {n} bands are called '{name}': use b1, b2, …")]
    Ambiguous { column: usize, name: String, n: usize },
}

impl Formula {
    /// Parses; bands are looked up by [`Formula::bind`].
    ///
    /// # Errors
    /// What stands where in the formula and what was expected there.
    pub fn parse(source: &str) -> Result<Self, FormulaError> {
        // Every character is at most 4 bytes: bounds the work before it is counted.
        if source.len() > 4 * MAX_LENGTH || source.chars().count() > MAX_LENGTH {
            return Err(FormulaError::TooLong);
        }
        let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0, operations: Vec::new(), names: Vec::new() };
        parser.formula()?;
        if *parser.token() != Token::End {
            return Err(parser.expected("an operator or the end"));
        }
        if parser.names.is_empty() {
            return Err(FormulaError::NoBands);
        }
        Ok(Self { source: source.trim().to_owned(), operations: parser.operations, names: parser.names })
    }

    pub fn source(&self) -> &str {
        &self.source
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
    operations: Vec<Operation>,
    names: Vec<Name>,
}

type Parsed = Result<(), FormulaError>;

impl Parser {
    fn formula(&mut self) -> Parsed {
        self.nested(|parser| {
            parser.and()?;
            while parser.take_any(&["or", "||"]).is_some() {
                parser.and()?;
                parser.emit(Function::Or);
            }
            Ok(())
        })
    }

    fn and(&mut self) -> Parsed {
        self.not()?;
        while self.take_any(&["and", "&&"]).is_some() {
            self.not()?;
            self.emit(Function::And);
        }
        Ok(())
    }

    fn not(&mut self) -> Parsed {
        if self.take_any(&["not", "!"]).is_none() {
            return self.comparison();
        }
        self.nested(Self::not)?;
        self.emit(Function::Not);
        Ok(())
    }

    fn comparison(&mut self) -> Parsed {
        const COMPARISONS: [&str; 7] = ["<", "<=", ">", ">=", "==", "=", "!="];
        self.sum()?;
        let Some(symbol) = self.take_any(&COMPARISONS) else { return Ok(()) };
        self.sum()?;
        self.emit(match symbol {
            "<" => Function::Less,
            "<=" => Function::LessOrEqual,
            ">" => Function::Greater,
            ">=" => Function::GreaterOrEqual,
            "!=" => Function::NotEqual,
            _ => Function::Equal,
        });
        let column = self.column();
        if self.take_any(&COMPARISONS).is_some() { Err(FormulaError::Chained { column }) } else { Ok(()) }
    }

    fn sum(&mut self) -> Parsed {
        self.product()?;
        while let Some(symbol) = self.take_any(&["+", "-"]) {
            self.product()?;
            self.emit(if symbol == "+" { Function::Add } else { Function::Subtract });
        }
        Ok(())
    }

    fn product(&mut self) -> Parsed {
        self.unary()?;
        while let Some(symbol) = self.take_any(&["*", "/"]) {
            self.unary()?;
            self.emit(if symbol == "*" { Function::Multiply } else { Function::Divide });
        }
        Ok(())
    }

    fn unary(&mut self) -> Parsed {
        match self.take_any(&["-", "+"]) {
            Some("-") => {
                self.nested(Self::unary)?;
                self.emit(Function::Negate);
                Ok(())
            }
            Some(_) => self.nested(Self::unary),
            None => self.power(),
        }
    }

    fn power(&mut self) -> Parsed {
        self.value()?;
        if self.take_any(&["^", "**"]).is_some() {
            self.nested(Self::unary)?;
            self.emit(Function::Power);
        }
        Ok(())
    }

    fn value(&mut self) -> Parsed {
        let column = self.column();
        match self.token().clone() {
            Token::Number(value) => {
                self.at += 1;
                self.operations.push(Operation::Constant(value));
                Ok(())
            }
            Token::Quoted(text) => {
                self.at += 1;
                self.load(Name { column, text, quoted: true });
                Ok(())
            }
            Token::Word(word) if is_operator(&word) => Err(self.expected("a number, a band or `(`")),
            Token::Word(word) => {
                self.at += 1;
                if self.take_any(&["("]).is_some() {
                    return self.call(column, &word);
                }
                if word.eq_ignore_ascii_case("pi") {
                    self.operations.push(Operation::Constant(std::f64::consts::PI));
                } else {
                    self.load(Name { column, text: word, quoted: false });
                }
                Ok(())
            }
            Token::Symbol("(") => {
                self.at += 1;
                self.formula()?;
                self.close()
            }
            _ => Err(self.expected("a number, a band or `(`")),
        }
    }

    fn call(&mut self, column: usize, name: &str) -> Parsed {
        let Some(function) = Function::parse(name) else {
            return Err(FormulaError::Function { column, name: name.to_owned() });
        };
        let mut n_arguments = 0;
        loop {
            self.formula()?;
            n_arguments += 1;
            if n_arguments > 1 && function.variadic() {
                self.emit(function);
            }
            if self.take_any(&[","]).is_none() {
                break;
            }
        }
        self.close()?;
        let fits = if function.variadic() { n_arguments >= 2 } else { n_arguments == function.arity() };
        if !fits {
            let expected = function.arguments();
            return Err(FormulaError::Arguments { column, name: name.to_lowercase(), expected, found: n_arguments });
        }
        if !function.variadic() {
            self.emit(function);
        }
        Ok(())
    }

    fn close(&mut self) -> Parsed {
        if self.take_any(&[")"]).is_some() { Ok(()) } else { Err(self.expected("an operator or `)`")) }
    }

    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth == MAX_DEPTH {
            return Err(FormulaError::TooDeep { column: self.column() });
        }
        self.depth += 1;
        parse(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn load(&mut self, name: Name) {
        let same = |other: &Name| other.quoted == name.quoted && other.text.eq_ignore_ascii_case(&name.text);
        let index = self.names.iter().position(same).unwrap_or_else(|| {
            self.names.push(name.clone());
            self.names.len() - 1
        });
        self.operations.push(Operation::Load(index));
    }

    /// Appends an operation, or its value where all operands are constants: they are then the
    /// last operations, one each.
    fn emit(&mut self, function: Function) {
        let start = self.operations.len().saturating_sub(function.arity());
        let constants: Option<Vec<f64>> = self.operations[start..]
            .iter()
            .map(|operation| if let Operation::Constant(value) = operation { Some(*value) } else { None })
            .collect();
        if let Some(operands) = constants {
            self.operations.truncate(start);
            self.operations.push(Operation::Constant(function.of_constants(&operands)));
        } else if function == Function::Power && self.operations.last() == Some(&Operation::Constant(2.0)) {
            self.operations.pop();
            self.operations.push(Operation::Apply(Function::Square));
        } else {
            self.operations.push(Operation::Apply(function));
        }
    }

    fn token(&self) -> &Token {
        &self.tokens[self.at].1
    }

    fn column(&self) -> usize {
        self.tokens[self.at].0
    }

    /// Goes on if the token is one of these symbols or words.
    fn take_any(&mut self, symbols: &[&'static str]) -> Option<&'static str> {
        let found = symbols.iter().copied().find(|symbol| match self.token() {
            Token::Symbol(token) => token == symbol,
            Token::Word(word) => word.eq_ignore_ascii_case(symbol),
            _ => false,
        })?;
        self.at += 1;
        Some(found)
    }

    fn expected(&self, expected: &'static str) -> FormulaError {
        FormulaError::Expected { column: self.column(), expected, found: self.token().describe() }
    }
}

fn is_operator(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|operator| word.eq_ignore_ascii_case(operator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(source: &str) -> String {
        Formula::parse(source).expect_err("wrong").to_string()
    }

    #[test]
    fn errors_name_the_column_and_what_was_expected() {
        assert_eq!(error("(b8-b4/(b8+b4)"), "column 15: expected an operator or `)`, found the end");
        assert_eq!(error("b1 + * b2"), "column 6: expected a number, a band or `(`, found `*`");
        assert_eq!(error("b1 b2"), "column 4: expected an operator or the end, found `b2`");
        assert_eq!(error(""), "column 1: expected a number, a band or `(`, found the end");
        assert_eq!(error("b1 and"), "column 7: expected a number, a band or `(`, found the end");
        assert_eq!(error("µ5 § 3"), "column 4: `§` has no meaning in a formula");
        assert_eq!(error("b1 + 1.2.3"), "column 6: `1.2.3` is no number");
        assert_eq!(error("'B8A + 2"), "column 1: the quote is not closed");
        assert_eq!(error("0 < b1 < 2"), "column 8: comparisons cannot be chained, join them with `and`");
        assert_eq!(error("if(b1, 2)"), "column 1: if takes 3 values (condition, then, else), found 2");
        assert_eq!(error("min(b1)"), "column 1: min takes 2 values or more, found 1");
        assert_eq!(error("2 * pi"), "the formula names no band, for example b1 or nir");
        assert!(error("1 + foo(b1)").starts_with("column 5: there is no function `foo`; there are min, max"));
    }

    #[test]
    fn no_input_overflows_the_stack() {
        for part in ["(", "-", "!", "not ", "2^", "sqrt(", "if(1,", "b1+", "b1<(", "b1 and "] {
            let source: String = part.repeat(4096 / part.len());
            assert!(Formula::parse(&source).is_err(), "{part}");
            assert_eq!(Formula::parse(&format!("{source}{source}b1")), Err(FormulaError::TooLong));
        }
        assert!(Formula::parse(&format!("{}b1", "b1+".repeat(1000))).is_ok());
        assert!(error(&"(".repeat(100)).contains("nested deeper than 64"));
        assert_eq!(error(&"€".repeat(5000)), "the formula is longer than 4096 characters");
    }

    #[test]
    fn constants_are_folded() {
        let operations = |source| Formula::parse(source).expect("valid").operations;

        assert_eq!(operations("b1 * (2 + 3 * 4 ^ 0.5)"), operations("b1 * 8"));
        assert_eq!(operations("b1 + -2^2"), operations("b1 + -4"));
        assert_eq!(operations("b1 * if(1 < 2, 2^3^2, 0)"), operations("b1 * 512"));
        assert_eq!(operations("b1 ^ 2"), [Operation::Load(0), Operation::Apply(Function::Square)]);
    }
}
