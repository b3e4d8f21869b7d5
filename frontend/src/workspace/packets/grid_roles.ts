// The roles of a grid whose rows stand where script puts them: a table's own elements cannot be placed so, and of such a grid
// not its cells have the focus but the grid, which says which row is active.

export const ROW_GROUP = { role: "rowgroup" } as const;
export const ROW = { role: "row" } as const;
export const CELL = { role: "gridcell" } as const;
export const COLUMN_HEADER = { role: "columnheader" } as const;
