//! Runs the conditions of a verification against a model.
