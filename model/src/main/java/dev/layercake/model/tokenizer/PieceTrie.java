package dev.layercake.model.tokenizer;

import java.util.Arrays;

/** The pieces of a vocabulary byte by byte: all pieces that begin at a place of a text are found in one walk. */
final class PieceTrie {
    static final int ROOT = 0;

    private static final int NONE = -1;

    private long[] edges;
    private int[] children;
    private int[] pieceOfNode = new int[1 << 10];
    private int nodes = 1;

    private PieceTrie(int capacity) {
        edges = new long[capacity];
        children = new int[capacity];
        Arrays.fill(edges, NONE);
        pieceOfNode[ROOT] = NONE;
    }

    static PieceTrie of(PieceTable pieces) {
        PieceTrie trie = new PieceTrie(1 << 12);
        for (int id = 0; id < pieces.size(); id++) {
            if (pieces.has(id) && pieces.length(id) > 0) {
                trie.add(pieces, id);
            }
        }
        return trie;
    }

    /** The node one byte further, or -1. */
    int child(int node, byte octet) {
        long edge = ((long) node << 8) | (octet & 0xFF);
        int mask = edges.length - 1;
        for (int slot = slot(edge, mask); edges[slot] != NONE; slot = (slot + 1) & mask) {
            if (edges[slot] == edge) {
                return children[slot];
            }
        }
        return NONE;
    }

    /** The piece that ends at a node, or -1. */
    int piece(int node) {
        return pieceOfNode[node];
    }

    private void add(PieceTable pieces, int id) {
        int node = ROOT;
        for (int i = 0; i < pieces.length(id); i++) {
            byte octet = pieces.byteAt(id, i);
            int next = child(node, octet);
            if (next < 0) {
                next = nodes++;
                if (next == pieceOfNode.length) {
                    pieceOfNode = Arrays.copyOf(pieceOfNode, next * 2);
                }
                pieceOfNode[next] = NONE;
                put(((long) node << 8) | (octet & 0xFF), next);
            }
            node = next;
        }
        pieceOfNode[node] = id;
    }

    private void put(long edge, int child) {
        if (nodes * 2 > edges.length) {
            long[] oldEdges = edges;
            int[] oldChildren = children;
            edges = new long[oldEdges.length * 2];
            children = new int[edges.length];
            Arrays.fill(edges, NONE);
            for (int i = 0; i < oldEdges.length; i++) {
                if (oldEdges[i] != NONE) {
                    insert(oldEdges[i], oldChildren[i]);
                }
            }
        }
        insert(edge, child);
    }

    private void insert(long edge, int child) {
        int mask = edges.length - 1;
        int slot = slot(edge, mask);
        while (edges[slot] != NONE) {
            slot = (slot + 1) & mask;
        }
        edges[slot] = edge;
        children[slot] = child;
    }

    private static int slot(long edge, int mask) {
        long mixed = edge * 0x9E3779B97F4A7C15L;
        return (int) (mixed >>> 32) & mask;
    }
}
