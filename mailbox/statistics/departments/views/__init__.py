"""The pages of departments: figures and costs, the tree, and price lists."""
