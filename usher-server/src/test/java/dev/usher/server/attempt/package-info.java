@NullMarked
package dev.usher.server.attempt;

import org.jspecify.annotations.NullMarked;
