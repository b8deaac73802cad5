//! The target `pool` as a program.
#![cfg_attr(fuzzing, no_main)]
memberlist_fuzz::target!(pool);
