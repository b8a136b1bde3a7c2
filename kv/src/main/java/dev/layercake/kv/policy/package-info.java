@NullMarked
package dev.layercake.kv.policy;

import org.jspecify.annotations.NullMarked;
