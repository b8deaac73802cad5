//! Histories of a few nodes in which the test decides what arrives, when and how often: random
//! ones by proptest, and all of them up to a certain depth. `memberlist_sim::laws` judges every step.

mod group;

mod every;
mod random;
