// There is nothing to do before the preview; an action must have a main step.
