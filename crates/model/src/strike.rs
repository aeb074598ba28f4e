//! Zeroing a source in a stored file: gate, up and down rows become exactly zero, in place, flushed, read back.
//!
//! Works on checkpoints and on the optimizer's moments alike. It decides nothing: which rows, and whether, is the
//! caller's. Idempotent: zeroing zeros again ends the same.

use std::path::Path;

use crate::{ModelError, SourceMask, WeightFile, adamw::is_sink};

/// What a strike did to one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StrikeReport {
    /// Rows overwritten (three a neuron in a checkpoint, six in a file of moments).
    pub rows: u64,
    /// Bytes overwritten.
    pub bytes: u64,
}

/// Zeroes the rows of `mask` in every sink tensor of the file, flushes, and reads every row back.
///
/// # Errors
/// When the file cannot be read or written, or a row read back is not zero. Running it again continues.
pub fn zero_rows(path: &Path, mask: &SourceMask) -> Result<StrikeReport, ModelError> {
    let file = WeightFile::open_for_writing(path)?;
    let mut report = StrikeReport::default();
    for (name, row) in struck_rows(&file, mask) {
        report.bytes += file.zero_row(&name, row)?;
        report.rows += 1;
    }
    file.flush()?;
    if erased_in(path, mask)? {
        return Ok(report);
    }
    Err(ModelError::Checkpoint {
        path: path.into(),
        reason: "a row that was overwritten with zeros does not read back as zeros".into(),
    })
}

/// Whether every row of `mask` in every sink tensor of the file is exactly zero.
///
/// # Errors
/// When the file cannot be read, or holds no sinks at all.
pub fn erased_in(path: &Path, mask: &SourceMask) -> Result<bool, ModelError> {
    let file = WeightFile::open(path)?;
    let rows = struck_rows(&file, mask);
    if rows.is_empty() && mask.per_layer.iter().any(|l| !l.is_empty()) {
        return Err(ModelError::Checkpoint { path: path.into(), reason: "it has no sink tensors".into() });
    }
    let mut buffer = Vec::new();
    for (name, row) in rows {
        file.read_rows(&name, row, 1, &mut buffer)?;
        if buffer.iter().any(|b| *b != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn struck_rows(file: &WeightFile, mask: &SourceMask) -> Vec<(String, u64)> {
    let mut rows = Vec::new();
    for name in file.tensors().keys().filter(|name| is_sink(name)) {
        let layer = name.split('.').skip_while(|part| *part != "layers").nth(1).and_then(|l| l.parse::<usize>().ok());
        if let Some(neurons) = layer.and_then(|l| mask.per_layer.get(l)) {
            rows.extend(neurons.iter().map(|n| (name.clone(), u64::from(*n))));
        }
    }
    rows
}
