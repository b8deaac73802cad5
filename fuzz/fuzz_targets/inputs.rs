//! The target `inputs` as a program.
#![cfg_attr(fuzzing, no_main)]
memberlist_fuzz::target!(inputs);
