package dev.layercake.kv;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** An array of numbers in C order. */
final class GoldenArray {
    private final int[] shape;
    private final double[] values;

    private GoldenArray(int[] shape, double[] values) {
        this.shape = shape;
        this.values = values;
    }

    static GoldenArray read(String dtype, int[] shape, ByteBuffer data) {
        double[] values = new double[Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (dtype) {
                case "F32" -> data.getFloat();
                case "F64" -> data.getDouble();
                case "I32" -> data.getInt();
                case "U8" -> data.get() & 0xFF;
                default -> throw new IllegalArgumentException("dtype " + dtype);
            };
        }
        return new GoldenArray(shape, values);
    }

    int axes() {
        return shape.length;
    }

    int size(int axis) {
        return shape[axis];
    }

    double at(int... index) {
        int offset = 0;
        for (int axis = 0; axis < shape.length; axis++) {
            offset = offset * shape[axis] + index[axis];
        }
        return values[offset];
    }

    float[] floats() {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    /** The numbers of an innermost row, as integers. */
    int[] ints(int... index) {
        int length = shape[shape.length - 1];
        int offset = 0;
        for (int axis = 0; axis < index.length; axis++) {
            offset = offset * shape[axis] + index[axis];
        }
        int[] row = new int[length];
        for (int i = 0; i < length; i++) {
            row[i] = (int) values[offset * length + i];
        }
        return row;
    }
}
