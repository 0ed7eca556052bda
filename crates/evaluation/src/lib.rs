//! How good a model is: metrics with intervals and the HTML report.
