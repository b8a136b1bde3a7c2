/**
 * Keys and values in a fixed amount of memory: {@link dev.layercake.kv.KvPool} owns the pages, {@link
 * dev.layercake.kv.KvCache} is one sequence's entries, {@link dev.layercake.kv.KvPrefill} and {@link
 * dev.layercake.kv.KvStep} are a prompt's and a token's way through the layers, and {@link dev.layercake.kv.KvPlan} says
 * beforehand what all that will take. What stays is decided by a policy ({@link dev.layercake.kv.policy}). Nothing here
 * knows of transformers.
 */
@NullMarked
package dev.layercake.kv;

import org.jspecify.annotations.NullMarked;
