//! Where tasks come from: parameterised task families and their instances.
