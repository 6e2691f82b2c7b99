//! `op::Command`: a child process as an op.
