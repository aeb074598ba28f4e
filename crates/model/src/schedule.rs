//! The learning rate over a run: linear warm-up, cosine decay. Pure.

use crate::TrainingConfig;

/// Learning rate of step `step` (from 0) of `steps`.
pub fn learning_rate(config: &TrainingConfig, step: u64, steps: u64) -> f64 {
    let warm = (config.warmup * steps as f64).round().max(1.0);
    let at = step as f64 + 1.0;
    if at <= warm {
        return config.learning_rate * at / warm;
    }
    let progress = ((at - warm) / (steps as f64 - warm).max(1.0)).min(1.0);
    let floor = config.final_share;
    config.learning_rate * (floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    #[test]
    fn warms_up_and_decays_to_the_final_share() {
        let config = Preset::named("demo").unwrap().training;
        let rate = |step| learning_rate(&config, step, 1_000);
        assert!((rate(0) - config.learning_rate / 50.0).abs() < 1e-12);
        assert!((rate(49) - config.learning_rate).abs() < 1e-12);
        assert!((rate(999) - 0.1 * config.learning_rate).abs() < 1e-12);
        assert!((50..999).all(|s| rate(s) >= rate(s + 1)));
    }
}
