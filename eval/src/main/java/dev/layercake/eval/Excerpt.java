package dev.layercake.eval;

/**
 * A passage to be read up to a place and continued as it is.
 *
 * @param id tells where it is from, and changes with the text
 */
public record Excerpt(String id, HeldOutText text) {}
