//! Token lengths: a table from a public trace, or a law with a few numbers.

use super::quantiles::{LengthTable, Quantiles};
use crate::named::Named;
use crate::setting::{Sigma, Tokens, Weight};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::random::Stream;

/// How long prompts or outputs are, in tokens; never less than one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lengths {
    /// Always the same.
    Fixed(Tokens),
    /// As in a public trace.
    Table(Named<LengthTable>),
    /// Lognormal.
    Lognormal(Lognormal),
    /// A mixture of lognormals.
    Mixture(Mixture),
}

/// Lognormal lengths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lognormal {
    /// Median.
    pub median: Tokens,
    /// Standard deviation of the logarithm.
    pub sigma: Sigma,
    /// Longest; what would be longer is cut to this, as a service's own cap does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Tokens>,
}

/// Several lognormals, one of which is chosen for each length. Never empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Part>", into = "Vec<Part>")]
pub struct Mixture(Vec<Part>);

/// A part of a mixture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Part {
    /// How often it is chosen, relative to the others.
    pub weight: Weight,
    /// Median.
    pub median: Tokens,
    /// Standard deviation of the logarithm.
    pub sigma: Sigma,
    /// Longest; what would be longer is cut to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Tokens>,
}

/// A mixture of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found a mixture without parts, expected one part or more")]
pub struct EmptyMixture;

impl TryFrom<Vec<Part>> for Mixture {
    type Error = EmptyMixture;
    fn try_from(parts: Vec<Part>) -> Result<Self, EmptyMixture> {
        if parts.is_empty() { Err(EmptyMixture) } else { Ok(Self(parts)) }
    }
}

impl From<Mixture> for Vec<Part> {
    fn from(mixture: Mixture) -> Self {
        mixture.0
    }
}

/// Draws the lengths of requests: prompts and outputs from streams of their own.
pub(super) struct LengthPair {
    prompt: Draws,
    output: Draws,
}

impl LengthPair {
    /// Without lengths there are no tokens; `luck` is that of prompts, then that of outputs.
    pub(super) fn new(
        prompt: Option<&Lengths>,
        output: Option<&Lengths>,
        luck: [Stream; 2],
    ) -> Self {
        let [prompt_luck, output_luck] = luck;
        Self {
            prompt: Draws { law: Law::of(prompt, |table| &table.prompt), luck: prompt_luck },
            output: Draws { law: Law::of(output, |table| &table.output), luck: output_luck },
        }
    }

    /// Prompt and output of one request.
    pub(super) fn draw(&mut self) -> (u32, u32) {
        (self.prompt.draw(), self.output.draw())
    }
}

/// A law and its luck.
struct Draws {
    law: Law,
    luck: Stream,
}

/// [`Lengths`], ready to draw from.
enum Law {
    Fixed(u32),
    Table(&'static Quantiles),
    Lognormal(Capped),
    /// With the share of all parts up to each.
    Mixture(Vec<(f64, Capped)>),
}

/// A lognormal, cut at its cap.
#[derive(Clone, Copy)]
struct Capped {
    median: f64,
    sigma: f64,
    max: f64,
}

impl Law {
    /// No lengths at all is zero tokens: a plain service.
    fn of(lengths: Option<&Lengths>, column: fn(&LengthTable) -> &Quantiles) -> Self {
        match lengths {
            None => Self::Fixed(0),
            Some(Lengths::Fixed(tokens)) => Self::Fixed(tokens.get()),
            Some(Lengths::Table(table)) => Self::Table(column(table.entry())),
            Some(&Lengths::Lognormal(Lognormal { median, sigma, max })) => {
                Self::Lognormal(Capped::new(median, sigma, max))
            }
            Some(Lengths::Mixture(Mixture(parts))) => Self::Mixture(cumulated(parts)),
        }
    }
}

fn cumulated(parts: &[Part]) -> Vec<(f64, Capped)> {
    let total: f64 = parts.iter().map(|part| part.weight.get()).sum();
    let mut share = 0.0;
    let cumulate = |part: &Part| {
        share += part.weight.get() / total;
        (share, Capped::new(part.median, part.sigma, part.max))
    };
    parts.iter().map(cumulate).collect()
}

impl Capped {
    fn new(median: Tokens, sigma: Sigma, max: Option<Tokens>) -> Self {
        let max = f64::from(max.unwrap_or(Tokens::HIGH).get());
        Self { median: f64::from(median.get()), sigma: sigma.get(), max }
    }

    fn draw(self, luck: &mut Stream) -> u32 {
        whole((self.median * (self.sigma * luck.normal()).exp()).min(self.max))
    }
}

impl Draws {
    fn draw(&mut self) -> u32 {
        match &self.law {
            Law::Fixed(tokens) => *tokens,
            Law::Table(quantiles) => whole(quantiles.at(self.luck.unit())),
            Law::Lognormal(lognormal) => lognormal.draw(&mut self.luck),
            Law::Mixture(parts) => {
                let level = self.luck.unit();
                // Rounding may leave the last share a hair below one.
                let place = parts.partition_point(|part| part.0 <= level).min(parts.len() - 1);
                parts[place].1.draw(&mut self.luck)
            }
        }
    }
}

/// The nearest whole number of tokens, one or more.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn whole(tokens: f64) -> u32 {
    ((tokens + 0.5) as u32).max(1)
}
