//! Formulas bound to a scene's bands, evaluated over many pixels: float64, a block of pixels
//! per operation, so that the compiler vectorises each of them.
//!
//! A pixel with nodata in any band that the formula uses has none in the result, also where an
//! `if` does not look at that band. What is no finite number (x / 0, the root or logarithm of a
//! negative number, overflow) is nodata too. Conditions are 1 and 0; every other number counts
//! as true.

use super::formula::{Formula, FormulaError, Name};
use super::roles::{BandRole, BandRoles};
use crate::scene::SceneInfo;

/// Pixels per block: a value of the stack is 2 KB.
const LANES: usize = 256;

type Lanes = [f64; LANES];

/// One step of the stack machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operation {
    Constant(f64),
    Load(usize),
    Apply(Function),
}

/// What takes values off the stack and puts one on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Square,
    Negate,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
    Not,
    If,
    Clamp,
    Min,
    Max,
    Abs,
    Sqrt,
    Exp,
    Ln,
    Log10,
    Sin,
    Cos,
    Tan,
    Atan,
    Floor,
    Ceil,
    Round,
}

impl Function {
    pub(super) const NAMES: &'static str =
        "min, max, clamp, if, abs, sqrt, exp, ln, log10, sin, cos, tan, atan, floor, ceil, round";

    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "min" => Self::Min,
            "max" => Self::Max,
            "clamp" => Self::Clamp,
            "if" => Self::If,
            "abs" => Self::Abs,
            "sqrt" => Self::Sqrt,
            "exp" => Self::Exp,
            "ln" | "log" => Self::Ln,
            "log10" => Self::Log10,
            "sin" => Self::Sin,
            "cos" => Self::Cos,
            "tan" => Self::Tan,
            "atan" => Self::Atan,
            "floor" => Self::Floor,
            "ceil" => Self::Ceil,
            "round" => Self::Round,
            _ => return None,
        })
    }

    pub(super) const fn arity(self) -> usize {
        match self {
            Self::If | Self::Clamp => 3,
            Self::Square | Self::Negate | Self::Not | Self::Abs | Self::Sqrt | Self::Exp | Self::Ln => 1,
            Self::Log10 | Self::Sin | Self::Cos | Self::Tan | Self::Atan => 1,
            Self::Floor | Self::Ceil | Self::Round => 1,
            _ => 2,
        }
    }

    pub(super) const fn variadic(self) -> bool {
        matches!(self, Self::Min | Self::Max)
    }

    pub(super) const fn arguments(self) -> &'static str {
        match self {
            Self::If => "3 values (condition, then, else)",
            Self::Clamp => "3 values (value, lowest, highest)",
            Self::Min | Self::Max => "2 values or more",
            _ => "1 value",
        }
    }

    /// By the same loops as pixels, so that folding changes nothing.
    pub(super) fn of_constants(self, operands: &[f64]) -> f64 {
        let mut stack: Vec<Lanes> = operands.iter().map(|value| [*value; LANES]).collect();
        self.apply(&mut stack);
        stack[0][0]
    }

    /// Replaces the last `arity` entries by one; the entries beyond it keep old values.
    #[inline(always)]
    fn apply(self, stack: &mut [Lanes]) {
        let (before, after) = stack.split_at_mut(stack.len() - self.arity() + 1);
        let Some(a) = before.last_mut() else { return };
        match self {
            Self::Add => binary(a, &after[0], |a, b| a + b),
            Self::Subtract => binary(a, &after[0], |a, b| a - b),
            Self::Multiply => binary(a, &after[0], |a, b| a * b),
            Self::Divide => binary(a, &after[0], |a, b| if b == 0.0 { f64::NAN } else { a / b }),
            Self::Power => binary(a, &after[0], |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.powf(b) }),
            Self::Less => binary(a, &after[0], |a, b| truth(a, b, a < b)),
            Self::LessOrEqual => binary(a, &after[0], |a, b| truth(a, b, a <= b)),
            Self::Greater => binary(a, &after[0], |a, b| truth(a, b, a > b)),
            Self::GreaterOrEqual => binary(a, &after[0], |a, b| truth(a, b, a >= b)),
            Self::Equal => binary(a, &after[0], |a, b| truth(a, b, a == b)),
            Self::NotEqual => binary(a, &after[0], |a, b| truth(a, b, a != b)),
            Self::And => binary(a, &after[0], |a, b| truth(a, b, a != 0.0 && b != 0.0)),
            Self::Or => binary(a, &after[0], |a, b| truth(a, b, a != 0.0 || b != 0.0)),
            Self::Min => binary(a, &after[0], |a, b| if a < b || a.is_nan() { a } else { b }),
            Self::Max => binary(a, &after[0], |a, b| if a > b || a.is_nan() { a } else { b }),
            Self::If => {
                for lane in 0..LANES {
                    let chosen = if a[lane] != 0.0 { after[0][lane] } else { after[1][lane] };
                    a[lane] = if a[lane].is_nan() { f64::NAN } else { chosen };
                }
            }
            Self::Clamp => {
                for lane in 0..LANES {
                    let (low, high) = (after[0][lane], after[1][lane]);
                    let raised = if a[lane] < low { low } else { a[lane] };
                    let value = if raised > high { high } else { raised };
                    a[lane] = if low.is_nan() || high.is_nan() { f64::NAN } else { value };
                }
            }
            Self::Square => unary(a, |a| a * a),
            Self::Negate => unary(a, |a| -a),
            Self::Not => unary(a, |a| truth(a, a, a == 0.0)),
            Self::Abs => unary(a, f64::abs),
            Self::Sqrt => unary(a, f64::sqrt),
            Self::Exp => unary(a, f64::exp),
            Self::Ln => unary(a, f64::ln),
            Self::Log10 => unary(a, f64::log10),
            Self::Sin => unary(a, f64::sin),
            Self::Cos => unary(a, f64::cos),
            Self::Tan => unary(a, f64::tan),
            Self::Atan => unary(a, f64::atan),
            Self::Floor => unary(a, f64::floor),
            Self::Ceil => unary(a, f64::ceil),
            Self::Round => unary(a, f64::round),
        }
    }
}

#[inline(always)]
fn truth(a: f64, b: f64, condition: bool) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { f64::from(u8::from(condition)) }
}

#[inline(always)]
fn unary(a: &mut Lanes, f: impl Fn(f64) -> f64) {
    for value in a {
        *value = f(*value);
    }
}

#[inline(always)]
fn binary(a: &mut Lanes, b: &Lanes, f: impl Fn(f64, f64) -> f64) {
    for (value, other) in a.iter_mut().zip(b) {
        *value = f(*value, *other);
    }
}

/// A formula over the bands of one scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    source: String,
    /// `Load(i)` loads `bands[i]`.
    operations: Vec<Operation>,
    bands: Vec<usize>,
    /// What a stored value is taken as: value · scale + offset, per entry of `bands`.
    physical: Vec<(f64, f64)>,
    /// Entries of the stack.
    depth: usize,
}

impl Formula {
    /// Looks the bands up: by number (from 1), by role, by name. Values are physical, by the
    /// bands' scale and offset.
    ///
    /// # Errors
    /// Which band the scene does not have, and what to write instead.
    pub fn bind(&self, info: &SceneInfo, roles: &BandRoles) -> Result<Expression, FormulaError> {
        let of_name = self.names.iter().map(|name| lookup(name, info, roles)).collect::<Result<Vec<_>, _>>()?;
        let mut bands = of_name.clone();
        bands.sort_unstable();
        bands.dedup();
        let position = |band: usize| bands.binary_search(&band).expect("sorted from the same list");
        let rebound = |operation: &Operation| match operation {
            Operation::Load(name) => Operation::Load(position(of_name[*name])),
            other => *other,
        };
        let operations: Vec<Operation> = self.operations.iter().map(rebound).collect();
        let (mut depth, mut height) = (0, 0_usize);
        for operation in &operations {
            match operation {
                Operation::Constant(_) | Operation::Load(_) => height += 1,
                Operation::Apply(function) => height -= function.arity() - 1,
            }
            depth = depth.max(height);
        }
        let physical = bands.iter().map(|&band| (info.bands[band].scale, info.bands[band].offset)).collect();
        Ok(Expression { source: self.source.clone(), operations, bands, physical, depth })
    }
}

impl Expression {
    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Bands of the scene that are needed, ascending.
    pub fn bands(&self) -> &[usize] {
        &self.bands
    }

    /// Other scales and offsets than the scene's, one per entry of [`Expression::bands`]; ones
    /// and zeros for stored values.
    ///
    /// # Panics
    /// If there is not one of each.
    #[must_use]
    pub fn with_physical(mut self, scale: &[f64], offset: &[f64]) -> Self {
        let n = self.bands.len();
        assert!(scale.len() == n && offset.len() == n, "one scale and one offset per band of the formula");
        self.physical = scale.iter().copied().zip(offset.iter().copied()).collect();
        self
    }

    /// Values of pixels, given as stored: one slice per entry of [`Expression::bands`], all of
    /// one length. Allocates a few KB once per call: give it thousands of pixels.
    ///
    /// # Panics
    /// If the number of bands or the lengths differ.
    pub fn evaluate(&self, bands: &[&[f32]], values: &mut [f32]) {
        assert_eq!(bands.len(), self.bands.len(), "bands of the formula");
        assert!(bands.iter().all(|band| band.len() == values.len()), "bands and values of one length");
        pulp::Arch::new().dispatch(|| self.evaluate_vectorised(bands, values));
    }

    // Inlined into the dispatch, as is all it calls: only there are wide vectors allowed.
    #[inline(always)]
    fn evaluate_vectorised(&self, bands: &[&[f32]], values: &mut [f32]) {
        let mut stack = vec![[0.0; LANES]; self.depth];
        for (index, values) in values.chunks_mut(LANES).enumerate() {
            let (start, n) = (index * LANES, values.len());
            let mut missing = [0.0; LANES];
            let mut height = 0;
            for operation in &self.operations {
                match *operation {
                    Operation::Constant(value) => {
                        stack[height] = [value; LANES];
                        height += 1;
                    }
                    Operation::Load(band) => {
                        let (scale, offset) = self.physical[band];
                        let entry = &mut stack[height];
                        for lane in 0..n {
                            let value = f64::from(bands[band][start + lane]);
                            entry[lane] = value * scale + offset;
                            // 0 for a number, NaN for NaN and infinities.
                            missing[lane] += 0.0 * value;
                        }
                        entry[n..].fill(0.0);
                        height += 1;
                    }
                    Operation::Apply(function) => {
                        function.apply(&mut stack[..height]);
                        height -= function.arity() - 1;
                    }
                }
            }
            for (lane, value) in values.iter_mut().enumerate() {
                let result = (stack[0][lane] + missing[lane]) as f32;
                *value = if result.is_finite() { result } else { f32::NAN };
            }
        }
    }
}

fn lookup(name: &Name, info: &SceneInfo, roles: &BandRoles) -> Result<usize, FormulaError> {
    let column = name.column;
    let n_bands = info.bands.len();
    if !name.quoted {
        if let Some(number) = name.text.strip_prefix(['b', 'B'])
            && !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
        {
            let band = number.parse::<usize>().ok().filter(|band| (1..=n_bands).contains(band));
            let missing = || FormulaError::BandNumber { column, number: number.to_owned(), n_bands };
            return band.map(|band| band - 1).ok_or_else(missing);
        }
        if let Some(band) = BandRole::parse(&name.text).and_then(|role| roles.band(role)) {
            return Ok(band);
        }
    }
    let named = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..n_bands).filter(|&band| same(&info.bands[band].name)).collect()
    };
    let exact = named(&|other| other == name.text);
    let found = if exact.is_empty() { named(&|other| other.eq_ignore_ascii_case(&name.text)) } else { exact };
    match (found.as_slice(), BandRole::parse(&name.text)) {
        ([band], _) => Ok(*band),
        ([], Some(role)) if !name.quoted => Err(FormulaError::Role { column, role: role.name(), label: role.label() }),
        ([], _) => Err(FormulaError::BandName { column, name: name.text.clone() }),
        (several, _) => Err(FormulaError::Ambiguous { column, name: name.text.clone(), n: several.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::roles::tests::scene;

    fn value(source: &str, pixel: &[f32]) -> f32 {
        let info = scene(&vec![("x", 0.0); pixel.len()]);
        let expression =
            Formula::parse(source).expect("valid").bind(&info, &BandRoles::guess(&info)).expect("enough bands");
        let bands: Vec<[f32; 1]> = expression.bands().iter().map(|&band| [pixel[band]]).collect();
        let bands: Vec<&[f32]> = bands.iter().map(<[f32; 1]>::as_slice).collect();
        let mut values = [0.0];
        expression.evaluate(&bands, &mut values);
        values[0]
    }

    #[test]
    fn operators_bind_as_in_mathematics() {
        let pixel = [2.0, 3.0, 4.0];
        for (source, expected) in [
            ("b1 + b2 * b3", 14.0),
            ("(b1 + b2) * b3", 20.0),
            ("b3 - b2 - b1", -1.0),
            ("b3 / b1 / b1", 1.0),
            ("-b1^2", -4.0),
            ("b1^-1", 0.5),
            ("b1^b2^b1", 512.0),
            ("b1**3", 8.0),
            ("- -b1", 2.0),
            ("b1 < b2 and b3 > 9 or not (b1 = 3)", 1.0),
            ("b1 <= 2 && b2 >= 3 && b1 != b2", 1.0),
            ("!b1", 0.0),
            ("if(b1 > b2, b1, b3)", 4.0),
            ("min(b3, b1, b2) + max(b1, b3)", 6.0),
            ("clamp(b3, 0, 1.5)", 1.5),
            ("abs(-b1) + sqrt(b3) + exp(0 * b1) + log10(b1 * 50)", 7.0),
            ("ln(exp(b1)) + sin(0*b1) + cos(0*b1) + atan(0*b1)", 3.0),
            ("floor(b1/3) + ceil(b1/3) + round(b2/2)", 3.0),
            ("2e-1*b1 + .5", 0.9),
            ("sin(pi / 2 * b1 / 2)", 1.0),
        ] {
            assert!((value(source, &pixel) - expected).abs() < 1e-6, "{source}: {}", value(source, &pixel));
        }
    }

    #[test]
    fn nodata_and_what_is_no_number_are_nodata() {
        for source in ["b1 / (b2 - b2)", "sqrt(-b1)", "ln(-b1)", "ln(b2 - b2)", "exp(1e9 * b1)", "b1 * 1e300 * 1e300"] {
            assert!(value(source, &[1.0, 2.0]).is_nan(), "{source}");
        }
        for source in [
            "b1 + b2",
            "b1 < b2",
            "not b2",
            "b1 or b2",
            "if(b1, b1, b2)",
            "max(b1, b2)",
            "min(b2, b1)",
            "clamp(b1, 0, b2)",
            "b2 ^ 0",
            "b1 + 0 * b2",
        ] {
            assert!(value(source, &[1.0, f32::NAN]).is_nan(), "{source}");
            assert!(value(source, &[1.0, f32::INFINITY]).is_nan(), "{source}");
            assert!(value(source, &[1.0, 2.0]).is_finite(), "{source}");
        }
    }

    #[test]
    fn values_are_physical_and_only_the_bands_needed_are_asked_for() {
        let mut info = scene(&[("B02", 492.0), ("B03", 560.0), ("B04", 665.0), ("B08", 833.0)]);
        for band in &mut info.bands {
            (band.scale, band.offset) = (1e-4, -0.1);
        }
        let expression =
            Formula::parse("nir - 'b04'").expect("valid").bind(&info, &BandRoles::guess(&info)).expect("both bands");
        assert_eq!(expression.bands(), [2, 3]);

        let mut values = [0.0];
        expression.evaluate(&[&[1500.0], &[4000.0]], &mut values);
        assert!((values[0] - 0.25).abs() < 1e-6);
        expression.with_physical(&[1.0, 1.0], &[0.0, 0.0]).evaluate(&[&[1500.0], &[4000.0]], &mut values);
        assert_eq!(values[0], 2500.0);
    }

    #[test]
    fn bands_that_are_not_there_are_a_sentence() {
        let info = scene(&[("B02", 492.0), ("same", 0.0), ("same", 0.0)]);
        let error = |source: &str| {
            let bound = Formula::parse(source).expect("valid").bind(&info, &BandRoles::guess(&info));
            bound.expect_err("no such band").to_string()
        };

        assert_eq!(error("b1 + b4"), "column 6: there is no band 4, the scene has 3");
        assert_eq!(error("b0"), "column 1: there is no band 0, the scene has 3");
        assert_eq!(error("b99999999999999999999"), "column 1: there is no band 99999999999999999999, the scene has 3");
        assert_eq!(
            error("2 * nir"),
            "column 5: no near infrared band (`nir`) is known in this scene: name it by number, as b4"
        );
        assert!(error("'B8A'").contains("there is no band `B8A`"));
        assert_eq!(error("same"), "column 1: 2 bands are called 'same': use b1, b2, …");
    }

    #[test]
    fn indices_equal_numpy() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/statistics/index.json")).expect("fixture");
        let list = |name: &str| -> Vec<Option<f64>> {
            serde_json::from_value(fixture[name].clone()).expect("a list of numbers")
        };
        let band = |name: &str| list(name).into_iter().map(|v| v.expect("a number") as f32).collect::<Vec<f32>>();
        let (blue, red, nir) = (band("blue"), band("red"), band("nir"));
        let info = scene(&[("blue", 0.0), ("red", 0.0), ("nir", 0.0)]);
        let mixed = "if(nir > red and blue < 0.5, sqrt(nir)^1.5 - atan(red), min(blue, -red^2))";
        for (source, name) in [("ndvi", "ndvi"), ("EVI", "evi"), (mixed, "mixed"), ("(b3-b2)/(b3+b2)", "ndvi")] {
            let expression = crate::index::expression_for(source, &info).expect("valid");
            // Repeated, so that whole blocks and a rest are computed.
            let all = [&blue, &red, &nir].map(|band| band.repeat(20));
            let bands: Vec<&[f32]> = expression.bands().iter().map(|&band| all[band].as_slice()).collect();
            let mut values = vec![0.0; all[0].len()];
            expression.evaluate(&bands, &mut values);

            for (found, expected) in values.iter().zip(list(name).repeat(20)) {
                match expected {
                    Some(expected) => assert!((f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1e-3)),
                    None => assert!(found.is_nan(), "{source}: {found}"),
                }
            }
        }
    }
}
