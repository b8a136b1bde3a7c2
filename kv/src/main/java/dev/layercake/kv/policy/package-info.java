/**
 * What decides which entries stay. A policy is a composition of a {@link dev.layercake.kv.policy.TokenScorer}, a {@link
 * dev.layercake.kv.policy.BudgetAllocator}, a {@link dev.layercake.kv.policy.Retention} and a {@link
 * dev.layercake.kv.policy.Schedule}; {@link dev.layercake.kv.policy.Policies} names the known ones and reads them from a
 * spec string. Nothing here touches memory: a policy sees statistics and answers with scores and counts.
 */
@NullMarked
package dev.layercake.kv.policy;

import org.jspecify.annotations.NullMarked;
