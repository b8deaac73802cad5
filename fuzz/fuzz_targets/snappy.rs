//! The target `snappy` as a program.
#![cfg_attr(fuzzing, no_main)]
memberlist_fuzz::target!(snappy);
