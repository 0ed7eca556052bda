//! How untrusted code is run under limits, and which protections are really in force.
