@NullMarked
package dev.layercake.model;

import org.jspecify.annotations.NullMarked;
