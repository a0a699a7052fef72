//! How much a step can break: the word that decides who must be asked.

use serde::{Deserialize, Serialize};

/// How much a step or runbook can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Cannot cut access or stop a service.
    #[default]
    Low,
    /// May disturb a service.
    Medium,
    /// Can cut our own access.
    High,
}

impl std::str::FromStr for Risk {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "low" => Ok(Risk::Low),
            "medium" => Ok(Risk::Medium),
            "high" => Ok(Risk::High),
            other => Err(format!("`{other}` is no risk: low, medium or high")),
        }
    }
}

impl std::fmt::Display for Risk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Risk::Low => "low",
            Risk::Medium => "medium",
            Risk::High => "high",
        })
    }
}
