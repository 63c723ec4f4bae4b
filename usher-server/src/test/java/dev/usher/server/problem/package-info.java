@NullMarked
package dev.usher.server.problem;

import org.jspecify.annotations.NullMarked;
