//! The target `machine` as a program.
#![cfg_attr(fuzzing, no_main)]
memberlist_fuzz::target!(machine);
