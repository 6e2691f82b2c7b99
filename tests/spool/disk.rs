//! Disks and files as they should not be.
